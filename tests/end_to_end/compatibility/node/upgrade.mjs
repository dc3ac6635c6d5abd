// HTTP's Upgrade: the socket goes from the HTTP parser to the program, with what came behind the head.
import http from 'node:http';
import { once } from 'node:events';
import { announce, check, collect, host, ok, payload, port, role } from './support.mjs';

function serve() {
  const server = http.createServer();
  server.on('upgrade', (request, socket, head) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n');
    if (head.length)
      socket.write(head);
    socket.pipe(socket);
    server.close(ok);
  });
  server.listen(0, host, () => announce(server));
}

async function ask() {
  const request = http.get({ host, port, headers: { Connection: 'Upgrade', Upgrade: 'echo' } });
  const [, socket, head] = await once(request, 'upgrade');
  socket.unshift(head);
  socket.end(payload);
  check(await collect(socket));
  ok();
}

role === 'server' ? serve() : await ask();
