// Workers of a cluster share a port; each answers.
import cluster from 'node:cluster';
import http from 'node:http';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

const workers = 2;

async function ask(port) {
  const [response] = await once(http.get({ host: '127.0.0.1', port, agent: false }), 'response');
  return text(response);
}

if (cluster.isPrimary) {
  for (let i = 0; i < workers; i++)
    cluster.fork();
  let port;
  for (let i = 0; i < workers; i++)
    [, { port }] = await once(cluster, 'listening');
  const answers = new Set();
  for (let i = 0; i < 8; i++)
    answers.add(await ask(port));
  console.log('answers', [...answers].sort().join());
  cluster.disconnect();
  for (let i = 0; i < workers; i++)
    await once(cluster, 'exit');
  console.log('ended');
} else {
  http.createServer((request, response) => response.end(`worker ${cluster.worker.id}`)).listen(0, '127.0.0.1');
}
