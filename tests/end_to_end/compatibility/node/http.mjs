import http from 'node:http';
import { announce, check, collect, host, ok, payload, port, role } from './support.mjs';

function serve() {
  const server = http.createServer(async (request, response) => {
    const body = await collect(request);
    check(body);
    response.end(body, () => server.close(ok));
  });
  server.listen(0, host, () => announce(server));
}

function ask() {
  const request = http.request({ host, port, method: 'POST' }, async (response) => {
    check(await collect(response));
    ok();
  });
  request.end(payload);
}

role === 'server' ? serve() : ask();
