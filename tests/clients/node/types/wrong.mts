// Each line with a mistake that the compiler must find.
import net, { Socket, nothing } from '@netbroker/net';

net.connect({ port: true });
net.createServer({ pauseOnConnect: 'yes' });
new Socket().setTimeout('soon');
new net.BlockList().addSubnet('10.0.0.0', '8');
net.unheardOf();
export { nothing };
