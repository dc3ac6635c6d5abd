import net from './index.cjs';

export default net;
export const {
  BlockList, Server, Socket, SocketAddress, Stream, connect, createConnection, createServer,
  getDefaultAutoSelectFamily, getDefaultAutoSelectFamilyAttemptTimeout, isIP, isIPv4, isIPv6,
  setDefaultAutoSelectFamily, setDefaultAutoSelectFamilyAttemptTimeout,
} = net;
