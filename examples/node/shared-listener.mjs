// A listener shared with programs in other languages: the broker deals the connections to all of one group in turn.
//
// usage: NETBROKER_GROUP=NAME node shared-listener.mjs PORT     (beside examples/c and examples/python's, of the same group and port, even 0)
import net from '@netbroker/net';

const server = net.createServer((socket) => {
  socket.on('error', () => {}); // who asked has gone
  socket.end('Node\n');
});
server.on('error', (error) => {
  console.error(error.message);
  process.exitCode = 1;
});
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => console.log('listening on', server.address()));
