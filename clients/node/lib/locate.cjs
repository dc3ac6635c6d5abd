'use strict';

const path = require('node:path');

// Where the broker's socket is: {path, origin}, origin in words for messages. Throws when nothing tells.
function locate(env = process.env) {
  if (env.NETBROKER_SOCKET)
    return { path: env.NETBROKER_SOCKET, origin: 'from NETBROKER_SOCKET' };
  if (env.XDG_RUNTIME_DIR)
    return { path: path.join(env.XDG_RUNTIME_DIR, 'netbroker.sock'), origin: 'in XDG_RUNTIME_DIR' };
  throw Object.assign(new Error('Nothing tells where the broker is: set NETBROKER_SOCKET to the path of its socket'), {
    code: 'ENOENT', syscall: 'connect',
  });
}

// Relative paths are the program's, not the daemon's; abstract ones are nobody's.
const resolve = (name) => (name[0] === '\0' ? Buffer.from(name) : path.resolve(name));

// The error speaks of the path as the program gave it.
function inTheirWords(error, given) {
  const resolved = String(resolve(given));
  if (error.address === resolved || error.message.endsWith(` ${resolved}`)) {
    error.message = error.message.replace(resolved, () => given);
    error.address = given;
  }
  return error;
}

module.exports = { inTheirWords, locate, resolve };
