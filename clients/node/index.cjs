'use strict';

const { BlockList, SocketAddress, _normalizeArgs, isIP, isIPv4, isIPv6 } = require('node:net');
const defaults = require('./lib/defaults.cjs');
const { Socket, connect } = require('./lib/socket.cjs');
const { Server, createServer } = require('./lib/server.cjs');

module.exports = {
  BlockList,
  Server,
  Socket,
  SocketAddress,
  Stream: Socket,
  _normalizeArgs,
  connect,
  createConnection: connect,
  createServer,
  isIP,
  isIPv4,
  isIPv6,
  ...defaults,
};
