// A chat: what one says, all others hear. Try it with `nc 127.0.0.1 PORT`, several times.
//
// usage: node chat.mjs PORT     (port 0: any; NETBROKER_SOCKET names the broker)
import net from '@netbroker/net';
import { createInterface } from 'node:readline';

const SLOW = 1 << 20; // bytes that somebody may leave unread
const people = new Map(); // socket -> name

function tell(text, except) {
  for (const socket of people.keys()) {
    if (socket === except)
      continue;
    socket.write(`${text}\n`);
    if (socket.writableLength > SLOW)
      socket.destroy();
  }
}

async function welcome(socket) {
  const lines = createInterface({ input: socket });
  socket.on('error', () => {}); // close follows
  socket.once('close', () => {
    lines.close();
    if (people.has(socket))
      leave(socket);
  });
  socket.write('Your name? ');
  for await (const line of lines) {
    if (people.has(socket))
      tell(`${people.get(socket)}: ${line}`, socket);
    else
      join(socket, line.trim() || 'nobody');
  }
}

function join(socket, name) {
  tell(`* ${name} has come`);
  people.set(socket, name);
  socket.write(`* here: ${[...people.values()].join(', ')}\n`);
}

function leave(socket) {
  const name = people.get(socket);
  people.delete(socket);
  tell(`* ${name} has gone`);
}

const server = net.createServer(welcome);
server.on('error', (error) => {
  console.error(error.message);
  process.exitCode = 1;
});
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => console.log('listening on', server.address()));
