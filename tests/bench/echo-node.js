// What a Node program does without the broker: an echo server on 127.0.0.1:$PORT.
const net = require('node:net');

const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy());
  socket.pipe(socket);
});
server.listen({ port: Number(process.env.PORT), host: '127.0.0.1', backlog: 4096 });
