// What a TLS socket tells of the connection below it, and what can be done to it.
import tls from 'node:tls';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { once } from 'node:events';

const file = (name) => readFileSync(join(process.env.TLS_DIRECTORY, name));
const ca = file('cert.pem');

const server = tls.createServer({ cert: ca, key: file('key.pem'), SNICallback: (name, done) => {
  console.log('SNI', name);
  done(null, tls.createSecureContext({ cert: ca, key: file('key.pem') }));
} });
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address();

async function meet(...args) {
  const client = tls.connect(...args);
  const events = [];
  for (const event of ['lookup', 'connect', 'ready', 'secureConnect'])
    client.on(event, () => events.push(event));
  console.log('before', client.connecting, client.pending, client.remoteAddress, client.encrypted, client.readyState);
  const [[peer]] = await Promise.all([once(server, 'secureConnection'), once(client, 'secureConnect')]);
  console.log('events', events.join());
  return [client, peer];
}

const [client, peer] = await meet(port, 'localhost', { family: 4, ca }, () => console.log('called back'));
console.log('connected', client.authorized, client.connecting, client.pending, client.readyState, client.getProtocol());
console.log('ends', client.remoteAddress, client.remotePort === port, client.remoteFamily, client.localAddress);
console.log('ends of the other', peer.remoteAddress, peer.remotePort === client.localPort, peer.localPort === port);
console.log('address', client.address().address, client.address().port === client.localPort, client.address().family);
console.log('chained', client.setNoDelay() === client, client.setKeepAlive(true, 2000) === client, client.unref().ref() === client);

client.setTimeout(50);
await once(client, 'timeout');
console.log('timeout', client.timeout);
client.setTimeout(0);

client.write('hello');
console.log('data', String((await once(peer, 'data'))[0]));
peer.end('good bye');
console.log('data', String((await once(client, 'data'))[0]));
await Promise.all([once(client, 'close'), once(peer, 'close')]);
console.log('closed', client.destroyed, peer.destroyed, client.remoteAddress);

const [early, other] = await meet({ port, host: '127.0.0.1', servername: 'localhost', ca });
other.destroy();
const [hadError] = await once(early, 'close');
console.log('destroyed', hadError);

server.once('secureConnection', (socket) => socket.end('0123456789'));
const parts = [];
const filled = tls.connect({ port, host: '127.0.0.1', servername: 'localhost', ca, onread: { buffer: Buffer.alloc(4), callback(count, buffer) {
  parts.push(String(buffer.subarray(0, count)));
  return true;
} } });
await once(filled, 'end');
console.log('onread', parts.join('|'));

// Written and ended before there is any TLS: what comes next is answered all the same.
server.once('secureConnection', (socket) => socket.on('data', (data) => socket.end(`${data} back`)));
const hasty = tls.connect({ port, host: '127.0.0.1', servername: 'localhost', ca, allowHalfOpen: true });
hasty.once('connect', () => hasty.end('there and'));
console.log('data', String((await once(hasty, 'data'))[0]));
console.log('hasty', await once(hasty, 'close'));

const distrustful = tls.connect({ port, host: '127.0.0.1', servername: 'localhost' });
console.log('distrust', (await once(distrustful, 'error'))[0].code);
server.close();
await once(server, 'close');
console.log('server closed');
