// The surface of node:net, to which this package adds nothing and of which it leaves out nothing.
import net = require('node:net');
export = net;
