"""Attack cases 1 to 39: other organisations, tokens and sessions."""

from typing import Final

from tests.attacks.case import Case

_ISOLATION: Final = "contract/test_fhir_isolation.py::"
_TENANCY: Final = "attacks/test_tenancy.py::"
_BYTES: Final = "attacks/test_bytes.py::"
_ASSERTIONS: Final = "contract/test_client_assertions.py::"
_OAUTH: Final = "contract/test_http_oauth.py::"
_NONINTERFERENCE: Final = "property/test_noninterference.py::test_what_one_organisation_does_another_does_not_see"
_SPOKEN: Final = "contract/test_spoken_answers.py::"
_NO_PORTAL: Final = "there are no pages for people, so no sessions, forms, links to click and no roles"

CASES: Final = (
    # ---- tenancy
    Case(
        1,
        "A read of a foreign id is answered like one of no id, headers and all.",
        (
            f"{_ISOLATION}test_what_is_not_visible_is_answered_like_what_does_not_exist",
            f"{_ISOLATION}test_a_request_made_up_of_an_id_of_another_type_finds_nothing",
            _NONINTERFERENCE,
        ),
        "the time that an answer takes is not compared",
    ),
    Case(
        2,
        "A history is the caller's own, and that of a foreign id is none.",
        (
            f"{_ISOLATION}test_what_is_not_visible_is_answered_like_what_does_not_exist",
            f"{_ISOLATION}test_history_holds_only_the_callers_own_view",
        ),
    ),
    Case(
        3,
        "A reference to a foreign resource leads nowhere and is never included.",
        (
            f"{_TENANCY}test_03_a_reference_to_a_foreign_resource_leads_nowhere_and_is_never_included",
            f"{_ISOLATION}test_includes_never_bring_what_is_not_visible",
        ),
    ),
    Case(
        4,
        "A chain or a reverse chain is refused by name.",
        (f"{_TENANCY}test_04_and_18_a_chain_or_a_side_channel_is_refused_by_name",),
    ),
    Case(
        5,
        "A reverse include brings what is visible only.",
        (f"{_TENANCY}test_05_what_points_to_a_resource_comes_along_only_where_it_is_visible",),
    ),
    Case(
        6,
        "Counts and totals are of what is visible.",
        (f"{_ISOLATION}test_searches_and_counts_are_over_what_is_visible", _NONINTERFERENCE),
    ),
    Case(
        7,
        "A cursor of A is nothing to B.",
        (
            f"{_ISOLATION}test_a_cursor_is_good_for_one_organisation_and_one_type",
            "contract/test_deleted_and_history.py::test_a_cursor_of_a_history_is_good_for_that_history_only",
            "fuzz/test_requests.py::test_no_cursor_opens_but_the_one_that_was_given",
        ),
    ),
    Case(
        8,
        "A conditional create by what only another sees creates.",
        (f"{_TENANCY}test_08_a_conditional_create_by_what_only_another_sees_creates",),
    ),
    Case(
        9,
        "A write to a foreign id is answered like one to none.",
        (
            f"{_TENANCY}test_09_a_write_to_a_foreign_id_of_any_type_is_answered_like_one_to_none",
            f"{_ISOLATION}test_an_update_or_packet_of_a_foreign_task_is_answered_like_an_unknown_one",
            "contract/test_fhir_update.py::test_no_update_creates",
            f"{_SPOKEN}test_one_partner_can_not_answer_for_another_nor_one_hospital_for_another",
            "contract/test_calls_and_todo.py::test_nobody_else_keeps_calls_of_a_referral",
        ),
    ),
    Case(
        10,
        "A conditional change by what only another sees finds none.",
        (f"{_TENANCY}test_10_a_conditional_change_by_what_only_another_sees_finds_none",),
    ),
    Case(
        11,
        "Labels, owner and person of an own resource can't be turned to another.",
        (
            f"{_TENANCY}test_11_labels_and_people_of_an_own_resource_can_not_be_turned_to_another",
            f"{_ISOLATION}test_labels_and_owner_can_not_be_rewritten",
        ),
    ),
    Case(
        12,
        "A transaction that names a foreign resource does nothing and says no more.",
        (f"{_TENANCY}test_12_a_transaction_that_names_a_foreign_resource_does_nothing_and_says_no_more",),
    ),
    Case(
        13,
        "However an address or a method is written, it is decided like the plain one.",
        (
            f"{_BYTES}test_13_an_address_that_is_written_otherwise_is_decided_like_the_plain_one",
            f"{_BYTES}test_13_a_method_in_a_header_is_no_method",
            f"{_TENANCY}test_13_a_batch_a_post_and_a_head_decide_as_a_get",
            f"{_ISOLATION}test_a_path_that_is_written_otherwise_shows_no_more",
        ),
    ),
    Case(
        14,
        "A Subscription tells of what its own organisation sees, as long as it does.",
        (
            f"{_TENANCY}test_14_a_subscription_to_what_another_owns_is_told_of_nothing",
            "contract/test_subscription_events.py::test_what_the_organisation_does_not_see_is_no_event_of_it",
            "contract/test_notifying.py::test_what_is_not_shown_any_more_is_a_number_alone",
        ),
    ),
    Case(
        15,
        "Of another's Subscription there is neither status nor event.",
        (
            "contract/test_subscription_operations.py::test_of_another_organisation_there_is_nothing",
            "contract/test_subscription_events.py::test_events_of_one_organisation_are_not_there_for_another",
            "contract/test_subscription_api.py::test_another_organisation_neither_reads_nor_changes_it",
        ),
        "there is no export by HTTP",
    ),
    Case(
        16,
        "AuditEvent, Provenance and accounting show an organisation its own only.",
        (
            "contract/test_audit_events.py::test_a_third_organisation_sees_nothing_of_it",
            "contract/test_audit_events.py::test_a_page_over_two_hospitals_is_told_to_each_in_its_own_part",
            "contract/test_audit_events.py::test_of_an_offer_its_recipient_is_not_told_whose_it_is",
            "contract/test_packet_per_need.py::test_holders_of_one_child_never_learn_of_the_others",
        ),
    ),
    Case(
        17,
        "A validator of a foreign id gets no 304.",
        ("contract/test_fhir_conditional.py::test_what_is_not_visible_is_404_whatever_the_client_says_it_has",),
    ),
    Case(
        18,
        "Parameters that look into texts, lists and filters are refused.",
        (
            f"{_TENANCY}test_04_and_18_a_chain_or_a_side_channel_is_refused_by_name",
            "contract/test_fhir_search.py::test_what_is_not_supported_is_refused_by_name",
        ),
    ),
    Case(
        19,
        "A person's number tells a stranger nothing.",
        (f"{_ISOLATION}test_a_persons_number_tells_a_stranger_nothing",),
    ),
    Case(
        20,
        "Of a hundred acceptances at once one is answered by 200.",
        (
            f"{_TENANCY}test_20_of_a_hundred_acceptances_at_once_one_is_answered_by_200",
            "unit/test_rules_lifecycle_source.py::test_a_second_acceptance_of_the_same_moment_is_not_selected",
            "property/test_lifecycle_machine.py::test_a_referral_keeps_its_promises_whatever_partners_and_hospital_do",
        ),
    ),
    Case(
        21,
        "Who declined sees no more than its own Task.",
        (f"{_TENANCY}test_21_who_declined_or_was_taken_back_from_sees_no_more_than_its_own_task",),
        "there are no files and no signed addresses",
    ),
    Case(
        22,
        "After a revocation nothing that was queued is sent.",
        (
            "contract/test_egress_matrix.py::test_each_way_out_shows_what_the_decision_permits_and_no_more",
            "contract/test_consent_life.py::test_a_revocation_hides_the_packet_and_tells_who_holds_it",
            "contract/test_notifying.py::test_what_is_not_shown_any_more_is_a_number_alone",
        ),
    ),
    Case(
        23,
        "A consent for another recipient, time or person permits nothing.",
        (
            "journeys/test_decision_table.py::test_every_row_of_the_table_goes_or_waits_as_it_says",
            "unit/test_rules_consent.py::test_a_consent_with_a_flaw_never_permits",
            "unit/test_rules_consent_parties.py::test_a_consent_of_another_person_permits_nothing",
            "unit/test_rules_consent_parties.py::test_a_consent_of_other_disclosers_does_not_let_the_hospital_disclose",
        ),
        "there is no request to send to one partner that could be answered 409: it waits, and the ledger says why",
    ),
    Case(
        24,
        "A consent that is no active one, or contradicts another, permits nothing.",
        (
            "unit/test_rules_consent.py::test_a_consent_with_a_flaw_never_permits",
            "unit/test_rules_consent.py::test_a_refusal_that_is_not_clearly_older_contradicts_a_consent",
            "unit/test_rules_consent_parties.py::test_whom_the_person_struck_out_no_class_and_no_name_lets_in",
        ),
    ),
    Case(
        25,
        "A unit that is not known counts as Part 2, and its labels stay.",
        (
            "journeys/test_decision_table.py::test_every_row_of_the_table_goes_or_waits_as_it_says",
            "contract/test_labels_carried.py::test_labels_are_not_taken_away_however_it_is_asked",
        ),
    ),
    # ---- tokens and sessions
    Case(
        26,
        "A JWT without an algorithm is 401.",
        (f"{_ASSERTIONS}test_26_a_token_without_a_signature_is_none",),
    ),
    Case(
        27,
        "A JWT signed with a public key as secret is 401.",
        (
            f"{_ASSERTIONS}test_27_a_public_key_is_no_shared_secret",
            f"{_ASSERTIONS}test_27_the_algorithm_is_that_of_the_registered_key",
        ),
    ),
    Case(
        28,
        "A kid that is a path, SQL, a URL or somebody else's opens nothing.",
        (
            f"{_ASSERTIONS}test_28_a_kid_is_a_name_and_nothing_else",
            f"{_ASSERTIONS}test_28_the_key_of_another_client_proves_nothing",
        ),
    ),
    Case(
        29,
        "A key that the token brings along is never fetched.",
        (
            f"{_ASSERTIONS}test_29_no_address_in_a_header_is_visited",
            f"{_ASSERTIONS}test_29_a_key_that_comes_along_is_not_used",
        ),
    ),
    Case(
        30,
        "An unknown crit, a JWE or a compressed token is 401.",
        (
            f"{_ASSERTIONS}test_30_what_would_have_to_be_understood_is_refused",
            f"{_ASSERTIONS}test_30_an_encrypted_token_is_refused",
        ),
    ),
    Case(
        31,
        "A jti counts once, in every process and after a restart.",
        (
            f"{_ASSERTIONS}test_31_an_assertion_is_used_once",
            f"{_ASSERTIONS}test_31_of_many_at_the_same_time_one_is_taken_whatever_process_it_reaches",
        ),
    ),
    Case(
        32,
        "Claims that are missing, late, early or for another are 401.",
        (
            f"{_ASSERTIONS}test_32_an_assertion_has_its_time",
            f"{_ASSERTIONS}test_32_claims_that_are_not_as_they_must_be_are_refused",
        ),
    ),
    Case(
        33,
        "A header or a parameter makes nobody somebody else.",
        (
            f"{_ISOLATION}test_a_header_makes_nobody_somebody_else",
            f"{_OAUTH}test_33_whom_a_token_acts_for_is_not_changed_by_what_is_asked",
        ),
    ),
    Case(
        34,
        "A scope covers what it says and nothing that begins like it.",
        (
            f"{_OAUTH}test_34_what_only_looks_like_a_scope_is_none_and_the_answer_says_why",
            f"{_OAUTH}test_34_a_token_to_read_does_not_write",
            f"{_ISOLATION}test_a_scope_bounds_what_comes_along_and_what_a_packet_holds",
        ),
    ),
    Case(
        35,
        "Secrets are stored hashed and compared in constant time.",
        (
            "attacks/test_secrets.py::test_35_neither_a_secret_nor_a_token_stands_in_the_database",
            "attacks/test_secrets.py::test_35_a_secret_is_compared_in_constant_time_also_where_there_is_no_client",
        ),
    ),
    Case(36, "A session begins anew at login and ends at logout.", reason=_NO_PORTAL),
    Case(37, "A form from elsewhere changes nothing, and neither does a GET.", reason=_NO_PORTAL),
    Case(38, "An invitation works once.", reason=_NO_PORTAL),
    Case(39, "Who lost a role loses it in live sessions.", reason=_NO_PORTAL),
)
