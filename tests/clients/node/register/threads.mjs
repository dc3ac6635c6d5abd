// A worker has a net of its own, and is under the broker as its parent is.
import { once } from 'node:events';
import http from 'node:http';
import { text } from 'node:stream/consumers';
import { Worker, isMainThread, parentPort } from 'node:worker_threads';

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url));
  const [port] = await once(worker, 'message');
  const [response] = await once(http.get({ host: '127.0.0.1', port }), 'response');
  console.log(await text(response));
  const [status] = await once(worker, 'exit');
  console.log('worker ended', status);
} else {
  const server = http.createServer((request, response) => {
    response.end('from the worker');
    server.close();
  });
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
}
