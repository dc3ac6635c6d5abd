'use strict';

// net.BlockList is Node's own; the broker has a list of its own for each that is used, with the same rules.

const PART = 1000; // rules in one frame

const shared = new WeakMap(); // list -> {session, id, count}

// The id of the broker's list, with all rules that the program's has by now.
function share(session, list) {
  let known = shared.get(list);
  if (known?.session !== session) {
    known = { session, id: session.newId(), count: 0 };
    session.notify('blockList.create', known.id);
    shared.set(list, known);
  }
  const fresh = list.rules.reverse().slice(known.count); // rules are only ever added
  for (let at = 0; at < fresh.length; at += PART)
    session.notify('blockList.addRules', known.id, { rules: fresh.slice(at, at + PART) });
  known.count += fresh.length;
  return known.id;
}

module.exports = { share };
