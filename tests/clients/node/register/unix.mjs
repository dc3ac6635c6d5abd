// Unix sockets, by paths that are relative to the program's directory.
import http from 'node:http';
import { existsSync } from 'node:fs';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

process.chdir(process.env.SCRATCH);
const server = http.createServer((request, response) => response.end(`you asked for ${request.url}`));
server.listen('relative.sock');
await once(server, 'listening');
console.log('address', server.address(), existsSync('relative.sock'));
const [response] = await once(http.get({ socketPath: 'relative.sock', path: '/this' }), 'response');
console.log(await text(response));
server.close();
await once(server, 'close');
console.log('left', existsSync('relative.sock'));
