'use strict';

// What connect takes, in all its forms, checked as Node checks it and said in the protocol's words.

const dns = require('node:dns');
const net = require('node:net');
const { inspect } = require('node:util');
const { getDefaultAutoSelectFamily, getDefaultAutoSelectFamilyAttemptTimeout } = require('./defaults.cjs');
const { coded } = require('./errors.cjs');
const { resolve } = require('./locate.cjs');

const [kNormalized] = Object.getOwnPropertySymbols(net._normalizeArgs([])); // Node's mark of what it has normalized

// (options | path | port[, host]) and perhaps a callback -> [options, callback or null].
function normalize(args) {
  return args[0]?.[kNormalized] ? args[0] : net._normalizeArgs(args);
}

function wrongType(name, expected, value) {
  return coded(TypeError, 'ERR_INVALID_ARG_TYPE', `The "${name}" property must be ${expected}. Received ${described(value)}`);
}

function described(value) {
  if (value == null)
    return String(value);
  if (typeof value === 'function')
    return `function ${value.name}`;
  if (typeof value === 'object')
    return value.constructor?.name ? `an instance of ${value.constructor.name}` : inspect(value, { depth: -1 });
  const text = inspect(value, { colors: false });
  return `type ${typeof value} (${text.length > 28 ? `${text.slice(0, 25)}...` : text})`;
}

function checkType(options, field, type) {
  if (options[field] != null && typeof options[field] !== type)
    throw wrongType(`options.${field}`, `of type ${type}`, options[field]);
}

function checkPort(port) {
  if (typeof port !== 'number' && typeof port !== 'string')
    throw wrongType('options.port', 'one of type number or string', port);
  if ((typeof port === 'string' && port.trim() === '') || +port !== (+port >>> 0) || port > 0xffff) {
    const received = typeof port === 'string' ? `type string ('${port}')` : `type number (${port})`;
    throw coded(RangeError, 'ERR_SOCKET_BAD_PORT', `Port should be >= 0 and < 65536. Received ${received}.`);
  }
}

function checkAttemptTimeout(value) {
  const name = 'options.autoSelectFamilyAttemptTimeout';
  if (value == null)
    return;
  if (typeof value !== 'number')
    throw wrongType(name, 'of type number', value);
  if (!Number.isInteger(value) || value < 1 || value > 0x7fffffff) {
    const range = Number.isInteger(value) ? '>= 1 && <= 2147483647' : 'an integer';
    throw coded(RangeError, 'ERR_OUT_OF_RANGE', `The value of "${name}" is out of range. It must be ${range}. Received ${inspect(value)}`);
  }
}

const families = { IPv4: 4, IPv6: 6 };

// As the program's own lookup is asked; the broker's resolver gets the same.
function lookupQuery({ family, hints }) {
  const wanted = families[family] ?? family;
  const isOne = wanted === 4 || wanted === 6;
  return { family: wanted, hints: hints || (isOne ? 0 : dns.ADDRCONFIG) };
}

// Node's lookup throws at what it cannot ask for; what is an address it does not look up.
function checkQuery(host, query) {
  dns.lookup(typeof host === 'string' ? '127.0.0.1' : host, query, () => {});
}

// Throws what Node throws. noDelay and the like are those that the socket was given before.
function connectOptions(options, { noDelay, keepAlive, delay }) {
  const common = { allowHalfOpen: true };
  if (options.path) {
    checkType(options, 'path', 'string');
    return { ...common, path: resolve(options.path) };
  }
  checkTcp(options);
  const host = options.host || 'localhost';
  const query = net.isIP(host) ? {} : lookupQuery(options);
  const lookup = net.isIP(host) ? undefined : options.lookup ?? undefined;
  if (!net.isIP(host) && !lookup)
    checkQuery(host, query);
  return {
    ...common,
    noDelay,
    keepAlive,
    keepAliveInitialDelay: delay || undefined,
    port: Number(options.port) | 0,
    host,
    localAddress: options.localAddress || undefined,
    localPort: options.localPort || undefined,
    ...query,
    lookup: Boolean(lookup) || undefined,
    autoSelectFamily: options.autoSelectFamily ?? getDefaultAutoSelectFamily(),
    autoSelectFamilyAttemptTimeout: options.autoSelectFamilyAttemptTimeout ?? getDefaultAutoSelectFamilyAttemptTimeout(),
  };
}

function checkTcp(options) {
  if (options.localAddress && !net.isIP(options.localAddress))
    throw coded(TypeError, 'ERR_INVALID_IP_ADDRESS', `Invalid IP address: ${options.localAddress}`);
  if (options.localPort)
    checkType(options, 'localPort', 'number');
  checkPort(options.port);
  checkType(options, 'autoSelectFamily', 'boolean');
  checkAttemptTimeout(options.autoSelectFamilyAttemptTimeout);
  if (!net.isIP(options.host || 'localhost'))
    checkType(options, 'lookup', 'function');
}

module.exports = { connectOptions, normalize };
