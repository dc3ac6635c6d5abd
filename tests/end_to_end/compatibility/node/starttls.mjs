// As SMTP, IMAP and databases do: TLS begins on a connection that has been in use.
import net from 'node:net';
import tls from 'node:tls';
import { once } from 'node:events';
import { announce, assert, check, collect, host, identity, ok, payload, port, role, trust } from './support.mjs';

function serve() {
  const server = net.createServer(async (socket) => {
    const [word] = await once(socket, 'data');
    assert.equal(word.toString(), 'STARTTLS\n');
    socket.write('GO\n');
    const secure = new tls.TLSSocket(socket, { isServer: true, ...identity() });
    const parts = [];
    secure.on('data', (part) => {
      parts.push(part);
      if (Buffer.concat(parts).length < payload.length)
        return;
      check(Buffer.concat(parts));
      secure.end(payload);
      server.close(ok);
    });
  });
  server.listen(0, host, () => announce(server));
}

async function ask() {
  const socket = net.connect(port, host);
  socket.write('STARTTLS\n');
  const [word] = await once(socket, 'data');
  assert.equal(word.toString(), 'GO\n');
  const secure = tls.connect({ socket, servername: 'localhost', ...trust() });
  secure.write(payload);
  check(await collect(secure));
  ok();
}

role === 'server' ? serve() : await ask();
