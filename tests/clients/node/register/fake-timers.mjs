// A test's fake timers stand still; connections go on.
import net from 'node:net';
import { once } from 'node:events';

for (const name of ['setImmediate', 'setTimeout', 'setInterval'])
  globalThis[name] = () => ({ ref() {}, unref() {} });
Date.now = () => 0;

const server = net.createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
await once(server, 'listening');
const socket = net.connect(server.address().port, '127.0.0.1');
socket.end(Buffer.alloc(1 << 20));
let received = 0;
socket.on('data', (data) => { received += data.length; });
await once(socket, 'close');
console.log(received);
server.close();
await once(server, 'close');
