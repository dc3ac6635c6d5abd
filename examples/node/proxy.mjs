// A TCP proxy that turns away who is on a block list; the broker does so before this program hears of them.
//
// usage: node proxy.mjs PORT HOST:PORT [BLOCKED...]     BLOCKED: an address, a subnet as 10.0.0.0/8, a range as 10.0.0.1-10.0.0.9
import net from '@netbroker/net';
import { pipeline } from 'node:stream';

const [port, target, ...blocked] = process.argv.slice(2);
if (target === undefined) {
  console.error('usage: node proxy.mjs PORT HOST:PORT [BLOCKED...]');
  process.exit(2);
}

const familyOf = (address) => (net.isIPv6(address) ? 'ipv6' : 'ipv4');

function add(blockList, rule) {
  const [network, prefix] = rule.split('/');
  const [start, end] = rule.split('-');
  if (prefix !== undefined)
    blockList.addSubnet(network, Number(prefix), familyOf(network));
  else if (end !== undefined)
    blockList.addRange(start, end, familyOf(start));
  else
    blockList.addAddress(rule, familyOf(rule));
}

const blockList = new net.BlockList();
for (const rule of blocked)
  add(blockList, rule);

const colon = target.lastIndexOf(':');
const [host, targetPort] = [target.slice(0, colon), Number(target.slice(colon + 1))];

const server = net.createServer({ allowHalfOpen: true, blockList }, (client) => {
  const upstream = net.connect({ host, port: targetPort, allowHalfOpen: true });
  const report = (error) => error && console.log(`${client.remoteAddress}: ${error.message}`);
  pipeline(client, upstream, report);
  pipeline(upstream, client, report);
});
server.on('drop', (who) => console.log('turned away:', who.remoteAddress));
server.on('error', (error) => {
  console.error(error.message);
  process.exitCode = 1;
});
server.listen(Number(port), '127.0.0.1', () => console.log('listening on', server.address()));
