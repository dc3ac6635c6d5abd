import https from 'node:https';
import { announce, check, collect, host, identity, ok, payload, port, role, trust } from './support.mjs';

function serve() {
  const server = https.createServer(identity(), async (request, response) => {
    const body = await collect(request);
    check(body);
    response.end(body, () => server.close(ok));
  });
  server.listen(0, host, () => announce(server));
}

function ask() {
  const request = https.request({ host: 'localhost', family: 4, port, method: 'POST', ...trust() }, async (response) => {
    check(await collect(response));
    ok();
  });
  request.end(payload);
}

role === 'server' ? serve() : ask();
