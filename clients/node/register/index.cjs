'use strict';

// Puts the broker under `node:net` for a whole program, and so under http, https, http2, tls and fetch:
//
//     node --import @netbroker/net/register program.mjs
//
// Node's own modules look things up in net's exports, mostly when they use them: those are replaced. The few that they
// have taken when they were loaded are put right one by one. Modules that took something of net's before this one was
// loaded keep Node's.

const http = require('node:http');
const { syncBuiltinESMExports } = require('node:module');
const net = require('node:net');
const broker = require('../index.cjs');
const { socketClass } = require('./socket-class.cjs');
const { secure } = require('./secure.cjs');
const { fitStreamWrap } = require('./stream-wrap.cjs');

// Loaded now, they derive their own sockets and handles from Node's net; later, they would from the broker's.
const builtIn = (name) => {
  try {
    return require(name);
  } catch {
    return undefined; // a Node without cryptography
  }
};
const [tls, http2] = [builtIn('node:tls'), builtIn('node:http2')];
builtIn('node:tty');

function derive(Class, Base) {
  Object.setPrototypeOf(Class, Base);
  Object.setPrototypeOf(Class.prototype, Base.prototype);
}

function replaceExports() {
  const replaced = { ...broker };
  replaced.Socket = replaced.Stream = socketClass(net.Socket, broker.Socket);
  for (const name of Object.keys(replaced).filter((name) => name in net && net[name] !== replaced[name]))
    net[name] = replaced[name];
}

replaceExports();
fitStreamWrap(broker.Socket);
derive(http.Server, net.Server);
http.Agent.prototype.createConnection = net.createConnection;
if (tls) {
  derive(tls.Server, net.Server);
  secure(tls, broker.Socket, net._normalizeArgs);
}
if (http2)
  derive(http2.createServer().constructor, net.Server);
syncBuiltinESMExports();
