"""Attack cases 40 to 72: what goes out, what comes in, how it is run."""

from typing import Final

from tests.attacks.case import Case

_BYTES: Final = "attacks/test_bytes.py::"
_INPUT: Final = "attacks/test_input.py::"
_OUTBOUND: Final = "attacks/test_outbound.py::"
_OPERATIONS: Final = "attacks/test_operations.py::"
_CANARY: Final = "attacks/test_canary.py::test_65_66_67_nothing_of_a_person_stands_where_it_does_not_belong"

CASES: Final = (
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
    Case(
        66,
        "Nothing of a person stands where it does not belong.",
        (
            _CANARY,
            "contract/test_telling.py::test_a_text_message_says_that_there_is_something_and_not_what",
            "contract/test_telling.py::test_no_number_stands_in_the_log",
            "contract/test_spoken_answers.py::test_the_others_learn_nothing_but_that_they_are_not_needed",
        ),
    ),
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
