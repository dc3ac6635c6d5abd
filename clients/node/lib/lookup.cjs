'use strict';

// The program's own lookup function. It is called in the tick of connect, as in Node; what it finds goes to the broker,
// which connects.

const net = require('node:net');
const { already, coded } = require('./errors.cjs');

const MOST_ADDRESSES = 256; // of one name that are tried

const results = new WeakMap(); // connection -> body of socket.lookupResult

function startLookup(socket, connection, options, wanted) {
  const { family, hints } = wanted;
  const all = family !== 4 && family !== 6 && !wanted.localAddress && wanted.autoSelectFamily;
  const query = { family, hints, ...(all && { all }) };
  let isAnswered = false;
  options.lookup(wanted.host, query, (error, address, family) => {
    const found = Array.isArray(address) ? address.slice(0, MOST_ADDRESSES) : [{ address, family }];
    if (!socket.connecting)
      return;
    if (isAnswered)
      return void socket.destroy(already(options));
    isAnswered = true;
    const wrong = error ?? invalid(found, options);
    if (!wrong) {
      results.set(connection, { addresses: found.map(({ address, family }) => ({ address, family })) });
      return connection.connect(wanted);
    }
    socket.emit('lookup', error, found[0]?.address, found[0]?.family, wanted.host);
    process.nextTick(() => socket.destroy(wrong));
  });
}

// Why none of the addresses can be connected to, if so.
function invalid(found, { host, port }) {
  if (found.some(({ address, family }) => net.isIP(address) && (family === 4 || family === 6)))
    return null;
  const { address, family } = found[0] ?? {};
  return net.isIP(address) ?
    coded(RangeError, 'ERR_INVALID_ADDRESS_FAMILY', `Invalid address family: ${family} ${host}:${port}`, { host, port }) :
    coded(TypeError, 'ERR_INVALID_IP_ADDRESS', `Invalid IP address: ${address}`);
}

function answerLookup(connection) {
  connection?.notify('socket.lookupResult', results.get(connection));
}

module.exports = { answerLookup, startLookup };
