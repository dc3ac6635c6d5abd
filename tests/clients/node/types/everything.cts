// A CommonJS program sees the same.
import net = require('@netbroker/net');
import node = require('node:net');
import '@netbroker/net/register';

const same: typeof node = net;
const back: typeof net = same;
const server: net.Server = net.createServer((socket: net.Socket) => socket.end());
const options: net.NetConnectOpts = { port: 1 };
const socket: node.Socket = net.connect(options);
const list: node.BlockList = new net.BlockList();

export { back, list, server, socket };
