// Nothing here closes what it has opened: kept-alive and unref'd sockets, and an unref'd server, hold no process.
import http from 'node:http';
import net from 'node:net';
import { once } from 'node:events';

const server = http.createServer((request, response) => response.end('answer')).listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address();
server.on('connection', (socket) => socket.unref());

const agent = new http.Agent({ keepAlive: true });
const [response] = await once(http.get({ host: '127.0.0.1', port, agent }), 'response');
response.resume();
await once(response, 'end');
await (await fetch(`http://127.0.0.1:${port}`)).text();

const idle = net.connect(port, '127.0.0.1');
await once(idle, 'connect');
idle.unref();
server.unref();
process.on('exit', () => console.log('released'));
