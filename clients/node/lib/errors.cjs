'use strict';

// Errors as Node makes them: from what the broker tells, and those that Node's own code would have thrown.

const CLASSES = { TypeError, RangeError, SyntaxError };
const FIELDS = ['errno', 'code', 'syscall', 'address', 'port', 'localAddress', 'localPort', 'hostname', 'limit', 'argument'];

// The Error that the broker's map describes.
function fromMap(map) {
  const error = map.errors ?
    new AggregateError(map.errors.map(fromMap), map.message) :
    new (CLASSES[map.name] ?? Error)(map.message);
  for (const field of FIELDS) {
    if (map[field] !== undefined)
      error[field] = map[field];
  }
  return error;
}

function coded(Class, code, message, fields) {
  const error = new Class(message);
  Object.defineProperty(error, 'stack', { value: error.stack.replace(Class.name, `${Class.name} [${code}]`), writable: true, configurable: true });
  return Object.assign(error, { code }, fields);
}

const socketClosed = () => coded(Error, 'ERR_SOCKET_CLOSED', 'Socket is closed');

function unreachable(path, origin, cause) {
  const message = `No broker answers at ${path} (${origin}): ${cause.code}. ` +
    'Start one with "netbroker serve", or set NETBROKER_SOCKET to the path of its socket';
  return Object.assign(new Error(message, { cause }), {
    errno: cause.errno, code: cause.code, syscall: 'connect', address: path,
  });
}

// To a program it is as if all its peers had reset their connections at once.
const lost = (why) => Object.assign(new Error(`The connection to the broker has ended${why ? `: ${why}` : ''}`), {
  errno: -104, code: 'ECONNRESET', syscall: 'read',
});

// What the kernel would have said.
const ofSystem = (code, errno, syscall, where, fields) =>
  Object.assign(new Error(`${syscall} ${code}${where}`), { errno, code, syscall, ...fields });
const already = ({ path, host = 'localhost', port }) => ofSystem('EALREADY', -114, 'connect', ` ${path ?? `${host}:${port}`}`,
  path === undefined ? { address: host, port } : { address: path });
const brokenPipe = () => ofSystem('EPIPE', -32, 'write', '');
const noRoom = () => ofSystem('ENOBUFS', -105, 'read', '');

const tooLarge = () => coded(Error, 'ERR_NB_FRAME_TOO_BIG', 'This is more than the broker takes in one frame');

module.exports = { already, brokenPipe, coded, fromMap, lost, noRoom, socketClosed, tooLarge, unreachable };
