import { createClient, RESP_TYPES } from 'redis';
import { assert, check, host, ok, payload, port } from './support.mjs';

const client = createClient({ socket: { host, port } });
await client.connect();
await client.set('redis', payload);
check(await client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }).get('redis'));
const sums = await Promise.all(Array.from({ length: 500 }, (_, i) => client.incrBy('redis:sum', i)));
assert.equal(sums.at(-1), 499 * 250);
await client.del(['redis', 'redis:sum']);
await client.close();
ok();
