"""The attack cases by number: where each is proven, or why it does not apply.

A proof is ``file::test`` below ``tests``.
"""

from typing import Final, NamedTuple


class Case(NamedTuple):
    """One attack and the answer that is expected."""

    number: int
    sentence: str
    proofs: tuple[str, ...] = ()
    reason: str = ""
    """Why all or a part of it does not apply."""


_ISOLATION: Final = "contract/test_fhir_isolation.py::"
_TENANCY: Final = "attacks/test_tenancy.py::"
_BYTES: Final = "attacks/test_bytes.py::"
_INPUT: Final = "attacks/test_input.py::"
_OUTBOUND: Final = "attacks/test_outbound.py::"
_OPERATIONS: Final = "attacks/test_operations.py::"
_ASSERTIONS: Final = "contract/test_client_assertions.py::"
_OAUTH: Final = "contract/test_http_oauth.py::"
_CANARY: Final = "attacks/test_canary.py::test_65_66_67_nothing_of_a_person_stands_where_it_does_not_belong"
_NONINTERFERENCE: Final = "property/test_noninterference.py::test_what_one_organisation_does_another_does_not_see"
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
    # ---- outbound
    Case(
        40,
        "An endpoint inside is refused when it is named, and when something would be sent.",
        (
            f"{_OUTBOUND}test_40_an_endpoint_inside_is_refused_when_it_is_named",
            f"{_OUTBOUND}test_40_the_refusal_is_an_answer_that_repeats_nothing",
            f"{_OUTBOUND}test_40_and_when_something_would_be_sent",
        ),
    ),
    Case(
        41,
        "A name that leads elsewhere a moment later leads nowhere.",
        (
            f"{_OUTBOUND}test_41_a_name_that_was_public_and_now_leads_inside_is_not_spoken_to",
            f"{_OUTBOUND}test_41_the_connection_goes_to_the_address_that_was_looked_at",
            "contract/test_outbound_http.py::test_a_certificate_must_be_of_an_authority_that_is_trusted",
        ),
    ),
    Case(42, "A redirect is a failure.", (f"{_OUTBOUND}test_42_a_redirect_is_a_failure_and_is_not_followed",)),
    Case(
        43,
        "A receiver that is slow, endless or a bomb ends in time.",
        (
            f"{_OUTBOUND}test_43_a_bomb_is_read_as_it_came_and_only_its_beginning",
            f"{_OUTBOUND}test_43_of_an_answer_without_end_the_beginning_is_read",
            f"{_OUTBOUND}test_43_headers_without_end_end_in_time",
            "contract/test_outbound_http.py::test_a_receiver_that_drips_its_answer_ends_in_time",
        ),
    ),
    Case(
        44,
        "A dead receiver delays nobody, and its owner is told.",
        (
            "contract/test_notifying.py::test_one_dead_and_one_silent_receiver_delay_nobody",
            "contract/test_notifying.py::test_after_three_days_of_failures_it_is_in_error_and_events_are_still_numbered",
        ),
    ),
    Case(
        45, "A proxy of the environment is not used.", (f"{_OUTBOUND}test_45_a_proxy_of_the_environment_is_not_used",)
    ),
    Case(46, "A link in another server's answer is guarded too.", reason="no answer of another server is read"),
    # ---- input
    Case(
        47,
        "What an HL7 field holds forges no segment and no acknowledgement.",
        (
            f"{_BYTES}test_47_what_a_field_holds_forges_no_segment_and_no_acknowledgement",
            "contract/test_bad_input.py::test_a_control_id_can_not_forge_an_acknowledgement",
            "unit/test_mllp_framing.py::test_an_answer_cannot_end_its_own_frame",
        ),
    ),
    Case(
        48,
        "Odd delimiters, sizes and framing harm no other message.",
        (
            f"{_BYTES}test_48_odd_framing_harms_no_other_message",
            "journeys/test_mllp_intake.py::test_a_message_in_single_bytes_between_noise_is_read",
            "journeys/test_mllp_intake.py::test_a_frame_that_never_ends_is_not_kept_for_ever",
            "unit/test_hl7v2_sizes.py::test_no_content_takes_more_time_than_in_proportion",
            "fuzz/test_messages.py::test_no_message_breaks_what_reads_it",
        ),
    ),
    Case(
        49,
        "A sender is who it says from where it may say it.",
        (
            "journeys/test_mllp_intake.py::test_a_sender_is_who_it_says_from_where_it_may_say_it",
            "journeys/test_mllp_tls.py::test_where_certificates_are_asked_for_no_other_opens",
            "contract/test_http_ingest.py::test_nobody_sends_for_another_organisation",
        ),
    ),
    Case(
        50,
        "The same message again has the first answer; the same number with other content replaces nothing.",
        (
            "journeys/test_mllp_intake.py::test_a_duplicate_gets_the_same_answer_and_no_second_effect",
            "contract/test_http_ingest.py::test_a_control_id_that_is_held_back_is_a_commit_error_with_its_place",
            "contract/test_http_ingest.py::test_the_same_identity_with_other_content_is_refused",
        ),
    ),
    Case(
        51,
        "In whatever order messages come, the same becomes of them.",
        (
            "property/test_visit_order.py::test_any_order_of_arrival_gives_the_same_record",
            "property/test_visit_join.py::test_numbers_that_turn_out_to_be_one_visit_are_joined_alike_whenever_it_is_said",
            "journeys/test_loop.py::test_a_cancelled_discharge_after_acceptance_marks_and_does_not_end",
        ),
    ),
    Case(
        52,
        "JSON that says a name twice, holds no finite number or goes too deep is 400.",
        (
            "contract/test_bad_input.py::test_an_event_that_is_no_strict_json_is_400",
            "contract/test_bad_input.py::test_a_task_that_is_no_strict_json_is_400",
            "unit/test_json.py::test_nesting_is_limited_to_64_levels_and_brackets_in_strings_do_not_count",
            "fuzz/test_requests.py::test_no_resource_breaks_what_judges_it",
        ),
    ),
    Case(
        53,
        "Text that is none is 400.",
        (
            "contract/test_bad_input.py::test_an_event_that_is_no_strict_json_is_400",
            "unit/test_json.py::test_any_bytes_are_read_or_refused",
        ),
    ),
    Case(
        54,
        "Decimals keep their digits.",
        (
            "unit/test_json.py::test_decimals_keep_their_digits",
            "contract/test_fhir_write.py::test_numbers_and_order_are_kept_as_they_were_sent",
        ),
    ),
    Case(
        55,
        "Odd characters are kept as text and reach no header.",
        (f"{_INPUT}test_55_no_text_reaches_a_header",),
        "there are no pages that show names",
    ),
    Case(
        56,
        "A body without end, of an untrue length or squeezed is refused before it is read.",
        (
            f"{_BYTES}test_56_a_body_without_end_is_refused_and_not_read_on",
            f"{_BYTES}test_56_a_length_that_is_not_true_makes_no_second_request",
            f"{_BYTES}test_56_a_bomb_is_refused_before_it_is_opened",
            f"{_BYTES}test_56_a_head_without_end_is_not_kept",
            "contract/test_bad_input.py::test_a_body_over_the_limit_is_413",
        ),
    ),
    Case(
        57,
        "XML is not read.",
        (
            f"{_INPUT}test_57_a_document_type_is_never_read",
            "contract/test_bad_input.py::test_another_kind_of_body_is_415",
        ),
    ),
    Case(
        58,
        "What is attached is never opened.",
        (f"{_INPUT}test_58_what_is_attached_is_kept_as_it_is_and_never_opened",),
        "an attachment is served inside its resource only",
    ),
    Case(59, "An id that is none names nothing.", (f"{_BYTES}test_59_an_id_that_is_none_names_nothing",)),
    Case(
        60,
        "A value of a search is a value, however long and odd.",
        (
            f"{_INPUT}test_60_a_value_is_a_value_however_long_and_odd",
            "contract/test_fhir_search.py::test_odd_values_are_values_and_nothing_else",
            "fuzz/test_requests.py::test_no_search_breaks_what_reads_it",
        ),
    ),
    Case(
        61,
        "An address in a resource is never visited, and what refers to itself ends.",
        (
            f"{_INPUT}test_61_an_address_in_a_resource_is_never_visited",
            f"{_INPUT}test_61_what_refers_to_itself_ends",
        ),
    ),
    Case(
        62,
        "Elements that nobody may set and extensions that nobody knows are refused.",
        (
            f"{_INPUT}test_62_what_nobody_may_set_is_refused_by_name",
            "contract/test_fhir_update.py::test_a_forbidden_edge_is_422_and_names_the_allowed_ones",
        ),
    ),
    Case(
        63,
        "Active content in a narrative is refused; other text comes back as JSON.",
        (
            f"{_INPUT}test_63_active_content_in_a_narrative_is_not_served",
            f"{_INPUT}test_63_formatting_is_taken_as_it_is",
            f"{_INPUT}test_63_text_elsewhere_comes_back_as_json_that_nobody_renders",
        ),
    ),
    Case(
        64,
        "A cell of an export is no formula.",
        ("contract/test_accounting.py::test_no_cell_of_a_spreadsheet_is_a_formula",),
    ),
    Case(
        65,
        "What is sent makes no line of the log.",
        (f"{_BYTES}test_65_what_is_sent_never_makes_a_line_of_the_log", _CANARY),
    ),
    Case(66, "Nothing of a person stands where it does not belong.", (_CANARY,)),
    Case(
        67,
        "An error tells no more than what to do.",
        (
            _CANARY,
            "contract/test_http_base.py::test_a_fault_of_ours_is_told_without_its_text",
            "contract/test_bad_input.py::test_junk_is_answered_and_repeated_nowhere",
        ),
    ),
    # ---- operations
    Case(
        68,
        "Who asks too often is told to wait, and starves nobody.",
        (
            "contract/test_rate_limits.py::test_a_client_that_asks_too_often_is_told_when_to_come_back",
            "contract/test_rate_limits.py::test_a_storm_of_one_organisation_costs_no_other_one_anything",
        ),
    ),
    Case(
        69,
        "Breaking the glass needs its four fields, and is looked at afterwards.",
        (
            "contract/test_break_glass.py::test_each_field_that_is_missing_is_named_and_nothing_is_shown",
            "contract/test_break_glass.py::test_an_organisation_without_medical_personnel_is_refused_whatever_the_task",
            "contract/test_break_glass.py::test_it_is_decided_disclosed_and_to_be_reviewed_in_the_words_that_were_given",
            "contract/test_break_glass.py::test_a_review_is_kept_once_and_says_who",
        ),
    ),
    Case(
        70,
        "What can't be recorded is not shown, and the record can't be changed unseen.",
        (
            f"{_OPERATIONS}test_70_what_can_not_be_recorded_is_not_shown",
            f"{_OPERATIONS}test_70_nobody_writes_what_tells_of_the_past",
            "contract/test_seals.py::test_a_sealed_row_that_is_edited_removed_or_added_is_found",
        ),
    ),
    Case(
        71,
        "Files are for their owner only, and no open page holds a setting or a person.",
        (
            f"{_OPERATIONS}test_71_the_file_of_the_database_is_for_its_owner_only",
            f"{_OPERATIONS}test_71_what_a_serving_machine_makes_is_for_its_owner_only",
            f"{_OPERATIONS}test_71_no_open_page_holds_a_setting_or_a_person",
        ),
        "backups are the operator's",
    ),
    Case(
        72,
        "What ends, ends by the clock of the database in UTC.",
        (
            "contract/test_accounts.py::test_a_token_ends_with_its_time",
            "contract/test_store.py::test_visibility_ends_at_its_time",
            "unit/test_rules_coverage.py::test_three_days_of_supply_end_at_the_same_wall_clock_time_when_the_clocks_change",
        ),
    ),
)
