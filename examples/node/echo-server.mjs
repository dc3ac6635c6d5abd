// An echo server whose connections live in the broker.
//
// usage: node echo-server.mjs PORT|PATH     (port 0: any; NETBROKER_SOCKET names the broker)
import net from '@netbroker/net';
import { pipeline } from 'node:stream';

const [where] = process.argv.slice(2);
if (where === undefined) {
  console.error('usage: node echo-server.mjs PORT|PATH');
  process.exit(2);
}

const server = net.createServer({ allowHalfOpen: true }, (socket) => {
  console.log('connected:', socket.remoteAddress ?? where);
  pipeline(socket, socket, (error) => error && console.log('lost:', error.message));
});
server.on('error', (error) => {
  console.error(error.message);
  process.exitCode = 1;
});
server.listen(/^\d+$/.test(where) ? { port: Number(where), host: '127.0.0.1' } : { path: where }, () => {
  console.log('listening on', server.address());
});
