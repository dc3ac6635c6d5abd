import { once } from 'node:events';
import { text } from 'node:stream/consumers';

const [question] = await once(process, 'message');
process.send({ ...question, answer: 'me' });
process.disconnect();
console.log(`read ${await text(process.stdin)}`);
