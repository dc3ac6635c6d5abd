// An echo server on 127.0.0.1:$PORT: what a Node program does without the broker, and with $NET, the path of the package, over it.
const net = require(process.env.NET || 'node:net');

const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy());
  socket.pipe(socket);
});
server.listen({ port: Number(process.env.PORT), host: '127.0.0.1', backlog: 4096 });
