// What goes wrong, seen through the modules above net. The label of a name is too long to be asked for: no query leaves the machine.
import http from 'node:http';
import https from 'node:https';
import http2 from 'node:http2';
import net from 'node:net';
import tls from 'node:tls';
import { once } from 'node:events';

const free = net.createServer().listen(0, '127.0.0.1');
await once(free, 'listening');
const { port } = free.address();
free.close();
await once(free, 'close');

const told = ({ code, errno, syscall, address, port: to, message }) =>
  JSON.stringify({ code, errno, syscall, address, port: to === port, message: message.replaceAll(String(port), 'PORT') });
const failure = async (what, emitter) => console.log(what, told((await once(emitter, 'error'))[0]));
const trying = (f) => {
  try {
    f();
  } catch (error) {
    return error.code;
  }
};

await failure('net', net.connect(port, '127.0.0.1'));
await failure('http', http.get({ host: '127.0.0.1', port }));
await failure('https', https.get({ host: '127.0.0.1', port }));
await failure('tls', tls.connect(port, '127.0.0.1'));
await failure('http2', http2.connect(`http://127.0.0.1:${port}`));
await fetch(`http://127.0.0.1:${port}`).catch((error) => console.log('fetch', error.message, told(error.cause)));
await failure('a path', http.get({ socketPath: '/nonexistent/socket' }));
await failure('no name', https.get({ host: `${'a'.repeat(64)}.invalid`, port }));
await failure('no permission', tls.createServer().listen('/proc/nobody.sock'));

const refused = tls.connect(port, '127.0.0.1');
refused.on('error', () => {});
await new Promise((resolve) => {
  refused.on('close', (hadError) => resolve(console.log('tls closes', hadError)));
});

console.log('port', trying(() => net.connect(70000)), trying(() => tls.connect({ port: -1 })), trying(() => http.createServer().listen(1e6)));
console.log('argument', trying(() => net.connect({})), trying(() => new net.Socket({ fd: -1 })));

const aborted = new AbortController();
const request = http.get({ host: '127.0.0.1', port, signal: aborted.signal });
aborted.abort();
await failure('aborted', request);

const garbage = net.createServer((socket) => socket.end('no TLS at all\r\n')).listen(0, '127.0.0.1');
await once(garbage, 'listening');
const [error] = await once(tls.connect(garbage.address().port, '127.0.0.1'), 'error');
console.log('handshake', error.code);
const [hung] = await once(http.get({ host: '127.0.0.1', port: garbage.address().port }), 'error');
console.log('no HTTP', hung.code);
garbage.close();
