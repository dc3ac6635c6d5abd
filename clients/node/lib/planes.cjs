'use strict';

// How the bytes of connections travel, by the name of NETBROKER_DATA_PLANE.

const { ChannelConnection } = require('./channel.cjs');
const { coded } = require('./errors.cjs');
const { InlineConnection } = require('./inline.cjs');

const PLANES = new Map([['inline', InlineConnection], ['attach', ChannelConnection]]);

// What the program's environment says. Throws when that is no plane.
function dataPlane(env = process.env) {
  const name = env.NETBROKER_DATA_PLANE || 'inline';
  if (!PLANES.has(name)) {
    throw coded(TypeError, 'ERR_INVALID_ARG_VALUE',
      `NETBROKER_DATA_PLANE must be one of ${[...PLANES.keys()].join(', ')}. Received '${name}'`);
  }
  return name;
}

// Below a Socket, for `id` of the session's.
function makeConnection(session, id, kind) {
  return new (PLANES.get(session.dataPlane) ?? InlineConnection)(session, id, kind);
}

module.exports = { dataPlane, makeConnection };
