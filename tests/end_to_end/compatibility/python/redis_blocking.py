import redis

from support import HOST, PAYLOAD, PORT, check, ok

client = redis.Redis(host=HOST, port=PORT, socket_timeout=20)
client.set("redis", PAYLOAD)
check(client.get("redis"))
with client.pubsub() as subscriber:
    subscriber.subscribe("redis:news")
    assert subscriber.get_message(timeout=20)["type"] == "subscribe"
    assert subscriber.get_message(timeout=0.05) is None
    client.publish("redis:news", PAYLOAD)
    check(subscriber.get_message(timeout=20)["data"])
client.delete("redis")
client.close()
ok()
