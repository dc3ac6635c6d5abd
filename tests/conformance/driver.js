// Does with Node's own net, or with the module $NB_DRIVER_NET, what the protocol's commands say, and tells what happens in the protocol's words: one line of
// JSON for each frame, commands in, replies and events out. For sides.py.
'use strict';
const net = require(process.env.NB_DRIVER_NET || 'net');

const lookups = new Map(); // id -> callback
const actors = new Map(); // id -> socket, server or block list
let nextEven = 2;
let era = 0; // raised when all actors are dropped; what an older one still says is not passed on

// ---- frames ----

function plain(value) {
  if (Buffer.isBuffer(value)) return { $bytes: value.toString('base64') };
  if (typeof value === 'number' && !Number.isFinite(value)) return { $number: String(value) };
  return value;
}

function rich(value) {
  if (Array.isArray(value)) return value.map(rich);
  if (value === null) return undefined; // as on the wire, where nil means absent
  if (typeof value !== 'object') return value;
  if ('$bytes' in value) return Buffer.from(value.$bytes, 'base64');
  if ('$number' in value) return Number(value.$number);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, rich(item)]));
}

const send = (frame) => process.stdout.write(`${JSON.stringify(frame)}\n`);
const emitter = (id, kind, born = era) => (name, body) => {
  if (born === era) send([2, `${kind}.${name}`, body === undefined ? [id] : [id, plain(body)]]);
};

function errorMap(error) {
  const map = { code: error.code, message: error.message };
  if (error.name !== 'Error') map.name = error.name;
  for (const field of ['errno', 'syscall', 'address', 'port', 'hostname', 'localAddress', 'localPort']) {
    if (error[field] !== undefined && error[field] !== null) map[field] = error[field];
  }
  return map;
}

// ---- sockets ----

const endpoints = (socket) => ({
  localAddress: socket.localAddress, localPort: socket.localPort, localFamily: socket.localFamily,
  remoteAddress: socket.remoteAddress, remotePort: socket.remotePort, remoteFamily: socket.remoteFamily,
});

function watchSocket(id, socket) {
  const tell = emitter(id, 'socket');
  actors.set(id, socket);
  socket.on('lookup', (err, address, family, host) => tell('lookup', {
    err: err ? errorMap(err) : undefined, address: address ?? undefined, family: family ?? undefined, host,
  }));
  socket.on('connect', () => tell('connect', endpoints(socket)));
  socket.on('ready', () => tell('ready'));
  socket.on('data', (data) => tell('data', data));
  socket.on('drain', () => tell('drain'));
  socket.on('end', () => tell('end'));
  socket.on('timeout', () => tell('timeout'));
  socket.on('error', (error) => tell('error', errorMap(error)));
  // One that never had a handle does not say whether there was an error.
  socket.on('close', (hadError = socket.errored !== null) => tell('close', {
    hadError, bytesRead: socket.bytesRead, bytesWritten: socket.bytesWritten,
  }));
}

function newSocket(id, body = {}) {
  const socket = new net.Socket(body);
  if (body.encoding !== undefined) socket.setEncoding(body.encoding);
  watchSocket(id, socket);
  return socket;
}

const closed = () => Object.assign(new Error('Socket is closed'), { code: 'ERR_SOCKET_CLOSED' });

// Answers once, by what comes first.
function answerWhenConnected(socket, answer, extra) {
  socket.once('ready', () => answer.result({ ...extra, ...endpoints(socket) }));
  socket.once('error', answer.error);
  socket.once('close', () => answer.error(closed())); // destroyed on the way
}

function info(socket) {
  return {
    readyState: socket.readyState, pending: socket.pending, connecting: socket.connecting, destroyed: socket.destroyed,
    paused: socket.isPaused(), timeout: socket.timeout, bytesRead: socket.bytesRead, bytesWritten: socket.bytesWritten,
    bufferSize: socket.writableLength, writableHighWaterMark: socket.writableHighWaterMark,
    writableNeedDrain: socket.writableNeedDrain, ...(socket.destroyed || socket.connecting ? {} : endpoints(socket)), allowHalfOpen: socket.allowHalfOpen,
    encoding: socket.readableEncoding ?? undefined,
  };
}

// A lookup that the commands answer.
function withLookup(id, options = {}) {
  if (!options.lookup) return options;
  const tell = emitter(id, 'socket');
  return { ...options, lookup(host, { family, hints, all }, callback) {
    lookups.set(id, callback);
    tell('lookupRequest', { host, family: family ?? 0, hints, all });
  } };
}

const socketCommands = {
  connect(socket, answer, body, id) {
    socket.connect(withLookup(id, body));
    if (body && body.timeout !== undefined) socket.setTimeout(body.timeout);
    answerWhenConnected(socket, answer);
  },
  lookupResult(socket, answer, { error, address, family }, id) {
    lookups.get(id)(error ? Object.assign(new Error(error.message), error) : null, address, family);
    setImmediate(() => (socket.errored && !error ? answer.error(socket.errored) : answer.result({})));
  },
  write(socket, answer, data, options = {}) {
    socket.write(data, options.encoding, (error) => (error ? answer.error(error) : answer.result({ bytesWritten: socket.bytesWritten })));
  },
  end(socket, answer, data, options = {}) {
    socket.end(data, options.encoding, (error) => (error ? answer.error(error) : answer.result({})));
  },
  destroy(socket, answer, body = {}) {
    if (socket.closed) return answer.result({});
    socket.once('close', () => answer.result({}));
    const { error } = body;
    socket.destroy(error && Object.assign(new Error(error.message), error));
  },
  resetAndDestroy(socket, answer) {
    socket.once('error', answer.error); // first, where there is nothing to reset
    socket.once('close', () => answer.result({}));
    socket.resetAndDestroy();
  },
  setEncoding: (socket, answer, body = {}) => { socket.setEncoding(body.encoding); },
  setKeepAlive: (socket, answer, body = {}) => { socket.setKeepAlive(body.enable, body.initialDelay); },
  setNoDelay: (socket, answer, body = {}) => { socket.setNoDelay(body.noDelay); },
  setTimeout: (socket, answer, body = {}) => { socket.setTimeout(body.timeout); },
  address: (socket) => socket.address(),
  info,
  pause: (socket) => { socket.pause(); },
  resume: (socket) => { socket.resume(); },
  ref: (socket) => { socket.ref(); },
  unref: (socket) => { socket.unref(); },
  release: () => {},
};

// ---- servers ----

function addressOf(server) {
  const address = server.address();
  return typeof address === 'string' ? { path: address } : address ?? undefined;
}

function newServer(id, { maxConnections, ...body } = {}) {
  const server = new net.Server(body);
  const tell = emitter(id, 'server');
  actors.set(id, server);
  if (maxConnections !== undefined) server.maxConnections = maxConnections;
  server.on('listening', () => tell('listening', addressOf(server)));
  server.on('connection', (socket) => {
    const made = nextEven;
    nextEven += 2;
    tell('connection', { socket: made, ...endpoints(socket) });
    watchSocket(made, socket);
  });
  server.on('drop', (data) => tell('drop', data ?? {}));
  server.on('error', (error) => tell('error', errorMap(error)));
  server.on('close', () => tell('close'));
}

const handleOf = ({ handle, ...body }) => (handle ? actors.get(handle.server ?? handle.socket) : body);

const serverCommands = {
  listen(server, answer, body) {
    const settle = (done) => {
      server.off('listening', listening);
      server.off('error', failed);
      done();
    };
    const listening = () => settle(() => answer.result(addressOf(server)));
    const failed = (error) => settle(() => answer.error(error));
    if (body === undefined) server.listen();
    else server.listen(handleOf(body));
    server.once('listening', listening);
    server.once('error', failed);
  },
  close: (server, answer) => { server.close((error) => (error ? answer.error(error) : answer.result({}))); },
  getConnections(server, answer) {
    server.getConnections((error, count) => (error ? answer.error(error) : answer.result({ count })));
  },
  address: addressOf,
  set: (server, answer, { maxConnections }) => { server.maxConnections = maxConnections; },
  info: (server) => ({
    listening: server.listening, maxConnections: server.maxConnections, connections: server._connections,
    ...(server.listening ? addressOf(server) : {}),
  }),
  ref: (server) => { server.ref(); },
  unref: (server) => { server.unref(); },
  release: () => {},
};

// ---- values ----

const typed = (address, family) => new net.SocketAddress({ address, family });

const listCommands = {
  addAddress: (list, answer, { address, type }) => { list.addAddress(address, type); },
  addRange(list, answer, { start, end, type, endType }) {
    if (endType === undefined || endType === type) list.addRange(start, end, type);
    else list.addRange(typed(start, type), typed(end, endType));
  },
  addSubnet: (list, answer, { net: address, prefix, type }) => { list.addSubnet(address, prefix, type); },
  check: (list, answer, { address, type }) => list.check(address, type),
  rules: (list) => list.rules,
  release: () => {},
};

const moduleCommands = {
  isIP: (answer, { input } = {}) => net.isIP(input),
  isIPv4: (answer, { input } = {}) => net.isIPv4(input),
  isIPv6: (answer, { input } = {}) => net.isIPv6(input),
  socketAddress(answer, body) {
    const { address, family, port, flowlabel } = new net.SocketAddress(body);
    return { address, family, port, flowlabel };
  },
};

// ---- one command ----

const creations = {
  'net.createConnection'(id, answer, body = {}) {
    const { encoding, ...options } = body;
    if (options.onread) options.onread = onreadOf(id, options.onread);
    const socket = net.createConnection(withLookup(id, options));
    if (encoding !== undefined) socket.setEncoding(encoding);
    watchSocket(id, socket);
    answerWhenConnected(socket, answer, { id });
  },
  'socket.create'(id, answer, body) {
    newSocket(id, body);
    answer.result({ id });
  },
  'server.create'(id, answer, body) {
    newServer(id, body);
    answer.result({ id });
  },
  'blockList.create'(id, answer) {
    actors.set(id, new net.BlockList());
    answer.result({ id });
  },
};
creations['net.connect'] = creations['net.createConnection'];
creations['net.createServer'] = creations['server.create'];

function onreadOf(id, { size }) {
  const tell = emitter(id, 'socket');
  return { buffer: Buffer.alloc(size), callback: (count, buffer) => tell('data', Buffer.from(buffer.subarray(0, count))) };
}

const sessionCommands = {
  // Two turns of the event loop: what earlier commands cause at once has been told by then.
  ping: (answer, body = {}) => { setImmediate(() => setImmediate(() => answer.result(body))); },
  close(answer) {
    era += 1;
    for (const actor of actors.values()) {
      if (actor instanceof net.Server) {
        actor.close(() => {});
      } else if (actor instanceof net.Socket) {
        actor.on('error', () => {});
        actor.destroy();
      }
    }
    actors.clear();
    answer.result({});
  },
};

const commandsOf = (actor) => (actor instanceof net.Socket ? socketCommands : actor instanceof net.Server ? serverCommands : listCommands);

// Commands that answer by themselves, later.
const LATER = new Set(['net.createConnection', 'net.connect', 'socket.create', 'server.create', 'net.createServer', 'blockList.create',
  'socket.connect', 'socket.lookupResult', 'socket.write', 'socket.end', 'socket.destroy', 'socket.resetAndDestroy', 'server.listen', 'server.close',
  'server.getConnections', 'session.ping', 'session.close']);

const NAMED = new Set(['socket.connect', 'socket.lookupResult']); // want to know their id

function run(method, target, values, answer) {
  const [kind, verb] = method.split('.');
  if (creations[method]) return creations[method](target, answer, ...values);
  if (kind === 'session') return sessionCommands[verb](answer, ...values);
  if (kind === 'net') return moduleCommands[verb](answer, ...values);
  const actor = actors.get(target);
  if (!actor) throw Object.assign(new Error(`no actor ${target}`), { code: 'ERR_DRIVER' });
  const command = commandsOf(actor)[verb];
  return NAMED.has(method) ? command(actor, answer, values[0], target) : command(actor, answer, ...values);
}

function handle([, msgid, method, [target, ...values]]) {
  const born = era;
  let open = true;
  const reply = (error, result) => {
    if (open && (born === era || method === 'session.close')) send([1, msgid, error, result]);
    open = false;
  };
  const answer = { result: (value) => reply(null, value ?? null), error: (error) => reply(errorMap(error), null) };
  try {
    const result = run(method, target, values.map(rich), answer);
    if (!LATER.has(method)) answer.result(result ?? (method === 'server.address' ? null : {}));
  } catch (error) {
    answer.error(error);
  }
}

let rest = '';
process.stdin.setEncoding('utf8').on('data', (text) => {
  const lines = (rest + text).split('\n');
  rest = lines.pop();
  for (const line of lines) handle(JSON.parse(line));
}).on('end', () => process.exit());
