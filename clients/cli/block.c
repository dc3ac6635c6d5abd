/* netbroker block test: whether a list blocks an address, and why. */
#include "address.h"
#include "command.h"
#include "json.h"
#include "list_file.h"

#include <errno.h>
#include <string.h>

enum { LIST = 1 }; /* our id for it in the session */

struct answer {
    struct nb_ip address;
    bool blocked;
    char rule[NB_RULE_TEXT]; /* in the words of blockList.rules; "": none */
};

/* ---- asking ---- */

static int ask_file(const char *path, struct answer *answer)
{
    struct nb_list_report report;
    struct nb_rule rule;
    struct nb_block_list *list = nb_block_list_new();
    int status = list ? nb_list_file_read(path, NB_BLOCK_LIST_MAX, list, &report) : -ENOMEM;
    if (!list)
        nb_cli_complain(path, -ENOMEM);
    else if (status < 0 && report.line)
        fprintf(stderr, "netbroker: %s:%zu: %s\n", path, report.line, report.complaint);
    else if (status < 0)
        fprintf(stderr, "netbroker: %s: %s\n", path, report.complaint);
    else if ((answer->blocked = nb_block_list_match(list, &answer->address, &rule)))
        nb_rule_format(&rule, answer->rule);
    nb_block_list_free(list);
    return status < 0 ? NB_CLI_LOCAL : NB_CLI_OK;
}

/* Sends the body, which it takes; *ret_value: the result, the caller's. */
static int call(const struct nb_cli_options *options, struct netbroker_session *session, const char *method,
                json_t *body, json_t **ret_value)
{
    struct netbroker_packer packer = {0};
    struct netbroker_result result;
    nb_cli_pack_json(&packer, body);
    int status = netbroker_call_wait(session, method, LIST, packer.bytes, packer.length, -1, &result);
    if (status == 0)
        *ret_value = nb_cli_unpack_bytes(result.bytes, result.length);
    int ret = status == 0            ? NB_CLI_OK
              : status == -EREMOTEIO ? nb_cli_report(options, &result.error)
                                     : nb_cli_lost(status);
    netbroker_result_free(&result);
    netbroker_packer_free(&packer);
    json_decref(body);
    return ret;
}

static int ask_session(const struct nb_cli_options *options, struct netbroker_session *session,
                       struct answer *answer)
{
    char text[NB_IP_TEXT];
    json_t *value = NULL;
    nb_ip_format(&answer->address, text);
    int status = call(options, session, "blockList.create",
                      json_pack("{s:s, s:b}", "name", options->name, "mustExist", 1), &value);
    json_decref(value);
    if (status != NB_CLI_OK)
        return status;
    status =
        call(options, session, "blockList.match",
             json_pack("{s:s, s:s}", "address", text, "type", answer->address.family == 6 ? "ipv6" : "ipv4"),
             &value);
    if (status != NB_CLI_OK)
        return status;
    const char *rule = json_string_value(json_object_get(value, "rule"));
    answer->blocked = json_is_true(json_object_get(value, "blocked"));
    snprintf(answer->rule, sizeof answer->rule, "%s", rule ? rule : "");
    json_decref(value);
    return NB_CLI_OK;
}

static int ask_broker(const struct nb_cli_options *options, struct answer *answer)
{
    struct netbroker_session *session;
    int status = nb_cli_open(options, NULL, NULL, &session);
    if (status != NB_CLI_OK)
        return status;
    status = ask_session(options, session, answer);
    netbroker_free(session);
    return status;
}

/* ---- answering ---- */

/* The lowest and the highest address that a rule names. */
static void bounds_of(const struct nb_rule *rule, struct nb_ip *ret_first, struct nb_ip *ret_last)
{
    *ret_first = rule->first;
    *ret_last = rule->kind == NB_RULE_RANGE ? rule->last : rule->first;
    if (rule->kind == NB_RULE_SUBNET) {
        const struct nb_cidr cidr = {.network = rule->first, .prefix = rule->prefix};
        nb_cidr_bounds(&cidr, ret_first, ret_last);
    }
}

static void add_ip(json_t *object, const char *key, const struct nb_ip *ip)
{
    char text[NB_IP_TEXT];
    nb_ip_format(ip, text);
    json_object_set_new(object, key, json_string(text));
}

/* The caller owns it. */
static json_t *describe(const struct answer *answer)
{
    struct nb_ip mapped, first, last;
    struct nb_rule rule;
    json_t *object = json_object();
    add_ip(object, "address", &answer->address);
    if (nb_cli_mapped(&answer->address, &mapped))
        add_ip(object, "mapped", &mapped);
    json_object_set_new(object, "blocked", json_boolean(answer->blocked));
    if (!answer->blocked)
        return object;
    json_object_set_new(object, "rule", json_string(answer->rule));
    if (!nb_rule_parse(answer->rule, strlen(answer->rule), &rule)) {
        bounds_of(&rule, &first, &last);
        add_ip(object, "first", &first);
        add_ip(object, "last", &last);
    }
    return object;
}

static bool print_words(const json_t *object)
{
    const char *const mapped = json_string_value(json_object_get(object, "mapped"));
    const char *const rule = json_string_value(json_object_get(object, "rule"));
    const char *const first = json_string_value(json_object_get(object, "first"));
    const char *const last = json_string_value(json_object_get(object, "last"));
    printf("%s", json_string_value(json_object_get(object, "address")));
    if (mapped)
        printf(", which is %s,", mapped);
    printf(rule ? " is blocked\n" : " is not blocked\n");
    if (rule)
        printf("  %s\n", rule);
    if (first && last && strcmp(first, last) != 0)
        printf("  from %s to %s\n", first, last);
    return fflush(stdout) == 0;
}

static int tell(const struct nb_cli_options *options, const struct answer *answer)
{
    json_t *object = describe(answer);
    bool printed = options->json ? nb_cli_print_json(stdout, object, false) : print_words(object);
    json_decref(object);
    if (printed)
        return answer->blocked ? NB_CLI_NO : NB_CLI_OK;
    nb_cli_complain("cannot print the result", -errno);
    return NB_CLI_LOCAL;
}

static int run(const struct nb_cli_options *options, char **arguments)
{
    struct answer answer = {0};
    if (strcmp(arguments[0], "test") != 0) {
        fprintf(stderr, "netbroker: block knows nothing but test: %s\n", arguments[0]);
        return NB_CLI_USAGE;
    }
    if (!nb_ip_parse(arguments[1], strlen(arguments[1]), &answer.address, NULL)) {
        fprintf(stderr, "netbroker: no IP address: %s\n", arguments[1]);
        return NB_CLI_USAGE;
    }
    if (!options->list == !options->name) {
        fprintf(stderr, "netbroker: give one of --list FILE and --name NAME\n");
        return NB_CLI_USAGE;
    }
    int status = options->list ? ask_file(options->list, &answer) : ask_broker(options, &answer);
    return status == NB_CLI_OK ? tell(options, &answer) : status;
}

const struct nb_cli_command nb_cli_block = {
    .name = "block",
    .arguments = "test ADDRESS",
    .summary = "say whether a block list blocks an address, and why",
    .options = "ln",
    .min_arguments = 2,
    .max_arguments = 2,
    .run = run,
};
