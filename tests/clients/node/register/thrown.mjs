// Listeners that throw, under a handler of what is not caught: everybody hears all that comes.
import net from 'node:net';
import { once } from 'node:events';

const SIZE = 4 << 20;
let thrown = 0;
process.on('uncaughtException', ({ message }) => {
  if (message !== 'by a listener')
    throw new Error(message);
  thrown++;
});

async function listen(paused) {
  const server = net.createServer((socket) => socket.end(Buffer.alloc(SIZE)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  let received = 0;
  const socket = net.connect(server.address().port, '127.0.0.1');
  if (paused) {
    socket.pause();
    setTimeout(() => socket.resume(), 50);
  }
  socket.on('data', (data) => {
    received += data.length;
    throw new Error('by a listener');
  });
  await new Promise((resolve) => { socket.on('close', resolve); });
  console.log(paused ? 'paused' : 'flowing', received === SIZE, thrown > 0);
  server.close();
}

await listen(false);
await listen(true);
