/* netbroker call: one request, its answer. */
#include "command.h"
#include "json.h"

#include <errno.h>

static int print_result(const struct nb_cli_options *options, const struct netbroker_result *result)
{
    json_t *value = nb_cli_unpack_bytes(result->bytes, result->length);
    bool printed = nb_cli_print_json(stdout, value, !options->json);
    json_decref(value);
    if (printed)
        return NB_CLI_OK;
    nb_cli_complain("cannot print the result", -errno);
    return NB_CLI_LOCAL;
}

static int call(const struct nb_cli_options *options, struct netbroker_session *session,
                const struct nb_cli_request *request, const struct netbroker_packer *body)
{
    struct netbroker_result answer;
    int result = netbroker_call_wait(session, request->method, request->target, body->bytes, body->length, -1,
                                     &answer);
    int status = result == 0            ? print_result(options, &answer)
                 : result == -EREMOTEIO ? nb_cli_report(options, &answer.error)
                                        : nb_cli_lost(result);
    netbroker_result_free(&answer);
    return status;
}

static int run(const struct nb_cli_options *options, char **arguments)
{
    struct nb_cli_request request;
    int status = nb_cli_parse_request(arguments, &request);
    if (status != NB_CLI_OK)
        return status;
    struct netbroker_packer body = {0};
    struct netbroker_session *session = NULL;
    if (request.body && !nb_cli_pack_json(&body, request.body)) {
        fprintf(stderr, "netbroker: a $binary is no base64\n");
        status = NB_CLI_USAGE;
    }
    if (status == NB_CLI_OK)
        status = nb_cli_open(options, NULL, NULL, &session);
    if (status == NB_CLI_OK)
        status = call(options, session, &request, &body);
    netbroker_free(session);
    netbroker_packer_free(&body);
    json_decref(request.body);
    return status;
}

const struct nb_cli_command nb_cli_call = {
    .name = "call",
    .arguments = "METHOD [TARGET] [JSON]",
    .summary = "send one request and print the answer as JSON",
    .options = "",
    .min_arguments = 1,
    .max_arguments = 3,
    .run = run,
};
