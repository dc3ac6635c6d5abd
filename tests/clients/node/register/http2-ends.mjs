// HTTP/2 knows its connection, and outlives those that go away while it writes.
import http2 from 'node:http2';
import net from 'node:net';
import { once } from 'node:events';

const server = http2.createServer((request, response) => {
  const { remoteAddress, remotePort, localPort } = request.socket;
  response.end(JSON.stringify([remoteAddress, remotePort > 0, localPort === server.address().port]));
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address();

const client = http2.connect(`http://127.0.0.1:${port}`);
console.log('connecting', client.connecting);
const request = client.request({ ':path': '/' });
const seen = [];
for (const event of ['ready', 'response', 'end', 'close'])
  request.on(event, () => seen.push(event));
const closed = once(request, 'close');
console.log('told', String(await request.setEncoding('utf8').toArray()));
await closed;
console.log('events', seen.join());
client.close();
await once(client, 'close');

// Cut in the middle of much to say, in many places: by the server's side, by the client's, below both.
server.removeAllListeners('request');
server.on('stream', (stream) => {
  stream.on('error', () => {});
  stream.respond({ ':status': 200 });
  const write = () => {
    while (!stream.destroyed && stream.write(Buffer.alloc(10_000))) {
      // until it is full
    }
  };
  stream.on('drain', write);
  write();
});
for (let round = 0; round < 30; round++) {
  const raw = net.connect(port, '127.0.0.1');
  const session = http2.connect(`http://127.0.0.1:${port}`, { createConnection: () => raw });
  session.on('error', () => {});
  const stream = session.request({ ':path': '/' });
  stream.on('error', () => {});
  let received = 0;
  stream.on('data', (data) => {
    received += data.length;
    if (received > round * 5000)
      [() => raw.destroy(), () => session.destroy(), () => raw.resetAndDestroy(), () => stream.close(8)][round % 4]();
  });
  await new Promise((resolve) => { stream.on('close', resolve); });
  session.destroy();
}
server.close();
await once(server, 'close');
console.log('closed');
