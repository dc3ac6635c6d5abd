import http2 from 'node:http2';
import { announce, check, collect, host, ok, payload, port, role } from './support.mjs';

const streams = 4; // at a time, on one connection

function serve() {
  let left = streams;
  const server = http2.createServer();
  server.on('stream', async (stream) => {
    const body = await collect(stream);
    check(body);
    stream.respond({ ':status': 200 });
    stream.end(body);
    if (--left === 0)
      server.close(ok);
  });
  server.listen(0, host, () => announce(server));
}

async function echo(session) {
  const stream = session.request({ ':method': 'POST' });
  stream.end(payload);
  check(await collect(stream));
}

async function ask() {
  const session = http2.connect(`http://${host}:${port}`);
  await Promise.all(Array.from({ length: streams }, () => echo(session)));
  session.close(ok);
}

role === 'server' ? serve() : await ask();
