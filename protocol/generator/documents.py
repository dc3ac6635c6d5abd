"""The reference tables of docs/protocol.md, put into the hand-written prose of protocol.md.in."""


def protocol_md(schema, template):
    """template holds each of the marks below once, on a line of its own."""
    marks = {"@METHODS@": _calls(schema.methods, "params", lambda m: m.output.name), "@EVENTS@": _events(schema),
             "@TYPES@": _types(schema), "@ERRORS@": _errors(schema)}
    for mark, text in marks.items():
        template = template.replace(mark + "\n", text)
    return template


def _table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def _link(name):
    return "" if name == "Nothing" else f"[{name}](#{name.lower()})"


def _name(call):
    alias = f", `{call.options.alias}`" if call.options.alias else ""
    hot = " **H**" if call.options.hot else ""
    return f"`{call.name}`{alias}{hot}"


def _prose(call):
    """With what not every broker or session has."""
    option = call.options
    notes = [f"Since version {option.since}."] * (option.since > 1)
    notes += [f"Feature `{option.feature}`."] * bool(option.feature)
    notes += [f"Deprecated since version {option.deprecated_since}."] * bool(option.deprecated_since)
    return " ".join([call.prose, *notes])


def _calls(calls, word, result):
    return _table(["#", "method", "params", "result", ""],
                  [[str(c.options.number), _name(c), _link(c.input.name), _link(result(c)), _prose(c)] for c in calls])


def _events(schema):
    return _table(["#", "event", "body", ""],
                  [[str(e.options.number), _name(e), _link(e.input.name), _prose(e)] for e in schema.events])


def _types(schema):
    return "\n".join(_type(m) for m in schema.messages if m.fields)


def _type(message):
    kind = " Travels as the bare value." if message.bare else ""
    rows = [[f"`{f.name}`", _link(f.message.name) if f.message else f.type_name, _field_prose(f)]
            for f in message.fields]
    prose = f"{message.prose}{kind}".strip()
    return f"### {message.name}\n\n" + (prose + "\n\n" if prose else "") + _table(["field", "type", ""], rows)


def _field_prose(field):
    return f"{field.prose}; always there, if need be empty" if field.always else field.prose


def _errors(schema):
    return _table(["code", "when"], [[f"`{e.name}`" + ("†" if e.fatal else ""), e.prose] for e in schema.errors])
