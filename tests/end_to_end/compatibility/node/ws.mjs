import { WebSocket, WebSocketServer } from 'ws';
import { once } from 'node:events';
import { announce, check, host, ok, payload, port, role } from './support.mjs';

function serve() {
  const server = new WebSocketServer({ host, port: 0, perMessageDeflate: true, maxPayload: 1 << 24 });
  server.on('listening', () => announce(server));
  server.on('connection', (socket) => {
    socket.on('message', (data) => {
      check(data);
      socket.send(data);
    });
    socket.on('close', () => server.close(ok));
  });
}

async function ask() {
  const socket = new WebSocket(`ws://${host}:${port}`);
  await once(socket, 'open');
  socket.send(payload);
  const [data] = await once(socket, 'message');
  check(data);
  socket.close();
  await once(socket, 'close');
  ok();
}

role === 'server' ? serve() : await ask();
