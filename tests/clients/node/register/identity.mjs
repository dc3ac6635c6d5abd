// Which classes there are, what is an instance of what, and the ways to make one.
import net, { Socket, Server, connect, createServer } from 'node:net';
import http from 'node:http';
import https from 'node:https';
import http2 from 'node:http2';
import tls from 'node:tls';
import { createRequire } from 'node:module';
import { inherits } from 'node:util';

const require = createRequire(import.meta.url);
const say = (what, value) => console.log(`${what}: ${value}`);

say('one module', require('net') === net && require('node:net').Socket === Socket && net.connect === connect);
say('Stream', net.Stream === Socket);
say('aliases', net.createConnection === net.connect);
say('names', Object.keys(net).filter((name) => !name.startsWith('_')).sort().join());
say('classes', [Socket.name, Server.name, Socket.length, Server.length].join());

class Mine extends Socket {
  constructor(options) {
    super(options);
    this.mine = true;
  }
  shout() {
    return 'shouted';
  }
}
function Old(options) {
  Socket.call(this, options);
  this.old = true;
}
inherits(Old, Socket);

const [plain, called, mine, old] = [new Socket(), Socket(), new Mine({ allowHalfOpen: true }), new Old()];
say('instances', [plain, called, mine, old].map((socket) => socket instanceof Socket).join());
say('subclass', [mine instanceof Mine, plain instanceof Mine, mine.mine, mine.shout(), mine.allowHalfOpen].join());
say('old subclass', [old instanceof Old, plain instanceof Old, old.old].join());
say('others', [{}, null, 1, Socket.prototype].map((value) => value instanceof Socket).join());
say('constructor', [plain.constructor.name, mine.constructor === Mine, old.constructor === Old].join());
say('TLS', [new tls.TLSSocket(plain) instanceof Socket, new tls.TLSSocket(plain) instanceof tls.TLSSocket].join());
say('standard streams', [process.stdout instanceof Socket, process.stdin instanceof Socket].join());

const servers = { net: createServer(), http: http.createServer(), https: https.createServer(), tls: tls.createServer(),
  http2: http2.createServer(), http2Secure: http2.createSecureServer() };
for (const [name, server] of Object.entries(servers))
  say(name, [server instanceof Server, server instanceof http.Server, server instanceof tls.Server, server.listening].join());
say('without new', [Server() instanceof Server, http.Server() instanceof Server, tls.Server() instanceof Server].join());
