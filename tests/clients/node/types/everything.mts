// All that node:net documents, used once, with its types: compiled, never run.
import net, {
  BlockList, Server, Socket, SocketAddress, connect, createConnection, createServer, getDefaultAutoSelectFamily,
  getDefaultAutoSelectFamilyAttemptTimeout, isIP, isIPv4, isIPv6, setDefaultAutoSelectFamily, setDefaultAutoSelectFamilyAttemptTimeout,
} from '@netbroker/net';
import type * as node from 'node:net';
import '@netbroker/net/register';

// The package may stand wherever node:net stands, and the other way round.
const same: typeof node = net;
const back: typeof net = same;
const ofNode: node.Socket = new Socket();
const ours: Socket = ofNode;

// ---- module ----

const created: Server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 1000,
  highWaterMark: 1 << 16 }, (socket: Socket) => socket.end());
const plain: Server = createServer((socket) => socket.destroy());
const byOptions: Socket = connect({ port: 1, host: 'a', localAddress: '127.0.0.1', localPort: 2, family: 4, hints: 0, noDelay: true, keepAlive: true,
  keepAliveInitialDelay: 1, autoSelectFamily: true, autoSelectFamilyAttemptTimeout: 250, timeout: 1, allowHalfOpen: true,
  signal: new AbortController().signal,
  lookup: (host, options, callback) => callback(null, '127.0.0.1', 4),
  onread: { buffer: new Uint8Array(1), callback: (count: number, buffer: Uint8Array): boolean => count < buffer.length } });
const byPath: Socket = createConnection({ path: '/p' }, () => {});
const byPort: Socket = createConnection(1, 'host', () => {});
const byName: Socket = connect('/p', () => {});
const kinds: [number, boolean, boolean] = [isIP('::'), isIPv4('a'), isIPv6('a')];
const defaults: [boolean, number] = [getDefaultAutoSelectFamily(), getDefaultAutoSelectFamilyAttemptTimeout()];
setDefaultAutoSelectFamily(true);
setDefaultAutoSelectFamilyAttemptTimeout(250);

// ---- BlockList, SocketAddress ----

const list = new BlockList();
const address = new SocketAddress({ address: '::1', family: 'ipv6', port: 1, flowlabel: 1 });
list.addAddress('1.2.3.4');
list.addAddress(address);
list.addRange('::1', '::2', 'ipv6');
list.addRange(address, address);
list.addSubnet('10.0.0.0', 8, 'ipv4');
list.addSubnet(address, 64);
const blocked: boolean = list.check('::1', 'ipv6') || list.check(address);
const rules: readonly string[] = list.rules;
const parts: [string, string, number, number] = [address.address, address.family, address.port, address.flowlabel];

// ---- Server ----

const where: string | node.AddressInfo | null = created.address();
created.listen().listen(1).listen(1, 'h').listen(1, 'h', 5, () => {}).listen(1, 5).listen('/p').listen('/p', 5, () => {}).listen(created)
  .listen({ port: 1, host: 'h', backlog: 5, exclusive: true, ipv6Only: true, signal: new AbortController().signal })
  .listen({ path: '/p', readableAll: true, writableAll: true });
created.getConnections((error: Error | null, count: number) => {});
created.close((error?: Error) => {}).ref().unref();
created.maxConnections = 5;
const listening: boolean = created.listening;
created.on('close', () => {}).on('connection', (socket: Socket) => {}).on('error', (error: Error) => {}).on('listening', () => {})
  .on('drop', (data?: node.DropArgument) => data?.remoteAddress);

// ---- Socket ----

const socket = new Socket({ allowHalfOpen: true, fd: 3, readable: true, writable: true, signal: new AbortController().signal });
socket.connect(1).connect(1, 'h', () => {}).connect('/p').connect({ port: 1 });
socket.on('close', (hadError: boolean) => {}).on('connect', () => {}).on('data', (data: Buffer) => {}).on('drain', () => {}).on('end', () => {})
  .on('error', (error: Error) => {}).on('lookup', (error: Error, found: string, family: number | string, host: string) => {})
  .on('ready', () => {}).on('timeout', () => {})
  .on('connectionAttempt', (ip: string, port: number, family: number) => {})
  .on('connectionAttemptFailed', (ip: string, port: number, family: number) => {})
  .on('connectionAttemptTimeout', (ip: string, port: number, family: number) => {});
const ends: [string | undefined, number | undefined, string | undefined] = [socket.remoteAddress, socket.remotePort, socket.remoteFamily];
const near: [string | undefined, number | undefined, string | undefined] = [socket.localAddress, socket.localPort, socket.localFamily];
const named: {} | node.AddressInfo = socket.address();
const counts: [number, number, number] = [socket.bufferSize, socket.bytesRead, socket.bytesWritten];
const flags: [boolean, boolean, boolean] = [socket.connecting, socket.destroyed, socket.pending];
const state: node.SocketReadyState = socket.readyState;
const timeout: number | undefined = socket.timeout;
const attempted: string[] = socket.autoSelectFamilyAttemptedAddresses;
const written: boolean = socket.write('x') && socket.write('x', 'utf8', (error?: Error | null) => {}) && socket.write(new Uint8Array(1), () => {});
socket.end().end('x').end('x', 'utf8', () => {}).destroy(new Error()).pause().resume().ref().unref();
socket.destroySoon();
socket.resetAndDestroy();
socket.setEncoding('utf8').setKeepAlive(true, 1000).setNoDelay(true).setTimeout(1, () => {});

export { back, byName, byOptions, byPath, byPort, blocked, counts, defaults, ends, flags, kinds, listening, named, near, ours, parts, plain, rules,
  state, timeout, attempted, where, written };
