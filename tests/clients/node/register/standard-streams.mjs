// Children, pipes to them, messages between them, and this program's own streams: none of them goes over a network.
import { execFile, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { text } from 'node:stream/consumers';

const child = spawn('cat', { stdio: ['pipe', 'pipe', 'inherit'] });
console.log('pipes', child.stdin instanceof Socket, child.stdout instanceof Socket);
child.stdin.end('x'.repeat(300_000));
console.log('cat', (await text(child.stdout)).length);

const [worker] = [fork(new URL('standard-streams-child.mjs', import.meta.url), { stdio: ['pipe', 'pipe', 'inherit', 'ipc'] })];
worker.send({ question: 'who?' });
const [answer] = await once(worker, 'message');
console.log('message', JSON.stringify(answer));
worker.stdin.end('to stdin');
console.log('stdout', await text(worker.stdout));
if (worker.exitCode === null)
  await once(worker, 'exit');
console.log('exit', worker.exitCode);
execFile('echo', ['done'], (error, stdout) => process.stdout.write(stdout));
