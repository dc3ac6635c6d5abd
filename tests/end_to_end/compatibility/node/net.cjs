// CommonJS, and `net` taken apart when the program is loaded.
const { connect, createServer, isIP } = require('net');
const assert = require('assert');

async function main() {
  const { announce, check, collect, host, ok, payload, port, role } = await import('./support.mjs');
  assert.equal(isIP(host), 4);
  if (role === 'server') {
    const server = createServer({ allowHalfOpen: true }, async (socket) => {
      const received = await collect(socket);
      check(received);
      socket.end(received);
      server.close(ok);
    });
    server.listen(0, host, () => announce(server));
  } else {
    const socket = connect({ port, host, allowHalfOpen: true });
    socket.end(payload);
    check(await collect(socket));
    ok();
  }
}

main();
