import tls from 'node:tls';
import { announce, assert, check, collect, host, identity, ok, payload, port, role, trust } from './support.mjs';

function serve() {
  const server = tls.createServer({ ...identity(), ALPNProtocols: ['echo'], allowHalfOpen: true }, async (socket) => {
    assert.equal(socket.alpnProtocol, 'echo');
    const received = await collect(socket);
    check(received);
    socket.end(received);
    server.close(ok);
  });
  server.listen(0, host, () => announce(server));
}

async function ask() {
  const options = { host, port, servername: 'localhost', ALPNProtocols: ['echo'], allowHalfOpen: true, ...trust() };
  const socket = tls.connect(options, () => {
    assert.ok(socket.authorized);
    assert.equal(socket.remotePort, port);
    socket.end(payload);
  });
  check(await collect(socket));
  ok();
}

role === 'server' ? serve() : await ask();
