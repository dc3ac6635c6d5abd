// Many requests, a few connections: an agent that keeps them, chunked bodies, `Expect: 100-continue`, a request that is aborted.
import http from 'node:http';
import { once } from 'node:events';
import { announce, assert, check, collect, host, ok, payload, port, role } from './support.mjs';

const rounds = 5;

function serve() {
  let sockets = 0;
  const server = http.createServer(async (request, response) => {
    if (request.url === '/end') {
      assert.ok(sockets <= 5, `${sockets} connections`);
      response.end(() => server.close(ok));
      server.closeIdleConnections();
    } else if (request.url === '/never') {
      request.resume();
    } else {
      response.write('echo:');
      request.pipe(response);
    }
  });
  server.on('connection', () => sockets++);
  server.on('checkContinue', (request, response) => {
    response.writeContinue();
    server.emit('request', request, response);
  });
  server.listen(0, host, () => announce(server));
}

async function echo(agent, headers) {
  const request = http.request({ host, port, agent, method: 'POST', headers });
  const responded = once(request, 'response'); // which may come at once behind `continue`
  if (headers) {
    request.flushHeaders();
    await once(request, 'continue');
  }
  request.end(payload);
  const [response] = await responded;
  const body = await collect(response);
  assert.equal(body.subarray(0, 5).toString(), 'echo:');
  check(body.subarray(5));
}

async function abort(agent) {
  const controller = new AbortController();
  const request = http.get({ host, port, agent, path: '/never', signal: controller.signal });
  await once(request, 'finish');
  controller.abort();
  const [error] = await once(request, 'error');
  assert.equal(error.code, 'ABORT_ERR');
}

async function ask() {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 2 });
  for (let round = 0; round < rounds; round++)
    await Promise.all([echo(agent), echo(agent, { Expect: '100-continue' })]);
  await abort(agent);
  const request = http.get({ host, port, agent, path: '/end' });
  const [response] = await once(request, 'response');
  await collect(response);
  agent.destroy();
  ok();
}

role === 'server' ? serve() : await ask();
