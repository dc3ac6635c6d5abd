'use strict';

// Holds the process, or does not, as the word says: released.cjs WORD. It prints `end` when it exits by itself.

const { net } = require('./net.cjs');

setTimeout(() => process.exit(3), 20_000).unref(); // for who holds it against the word
process.on('exit', (code) => code || console.log('end'));

const server = net.createServer((socket) => socket.resume());
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  const released = {
    'a closed server': () => server.close(),
    'an unref\'d server': () => server.unref(),
    'unref\'d sockets': () => {
      net.connect(port, '127.0.0.1', function () { this.unref(); }).resume();
      server.on('connection', (socket) => socket.unref());
      server.unref();
    },
    'a server that is ref\'d again': () => {
      server.unref().ref();
      setTimeout(() => server.close(), 50).unref();
    },
    'a write that is on its way': () => {
      server.unref();
      server.on('connection', (socket) => socket.unref());
      net.connect(port, '127.0.0.1', function () {
        this.write(Buffer.alloc(1 << 22), () => console.log('written'));
        this.unref().ref().pause();
      });
    },
    'a write in the exit handler': () => {
      net.connect(Number(process.argv[3]), '127.0.0.1', function () {
        process.on('exit', () => this.write('farewell'));
        process.exit();
      });
    },
  };
  released[process.argv[2]]();
});
