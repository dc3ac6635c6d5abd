import Redis from 'ioredis';
import { assert, check, host, ok, payload, port } from './support.mjs';

const [client, subscriber] = [new Redis({ host, port }), new Redis({ host, port })];
await client.set('ioredis', payload);
check(await client.getBuffer('ioredis'));
const answers = await client.pipeline(Array.from({ length: 500 }, (_, i) => ['incrby', 'ioredis:sum', String(i)])).exec();
assert.equal(answers.at(-1)[1], 499 * 250);
await subscriber.subscribe('ioredis:news');
const heard = new Promise((resolve) => subscriber.once('messageBuffer', (_, message) => resolve(message)));
await client.publish('ioredis:news', payload);
check(await heard);
await client.del('ioredis', 'ioredis:sum');
await Promise.all([client.quit(), subscriber.quit()]);
ok();
