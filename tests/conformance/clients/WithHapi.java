// Every interaction that HAPI's client offers, in one run; prints what it saw as one JSON object.

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.rest.client.api.IGenericClient;
import ca.uhn.fhir.rest.client.interceptor.BearerTokenAuthInterceptor;
import ca.uhn.fhir.rest.server.exceptions.BaseServerResponseException;
import ca.uhn.fhir.rest.server.exceptions.PreconditionFailedException;
import ca.uhn.fhir.rest.server.exceptions.ResourceGoneException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Base64;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import org.hl7.fhir.r4.model.Bundle;
import org.hl7.fhir.r4.model.CapabilityStatement;
import org.hl7.fhir.r4.model.IdType;
import org.hl7.fhir.r4.model.Observation;
import org.hl7.fhir.r4.model.OperationOutcome;
import org.hl7.fhir.r4.model.Procedure;
import org.hl7.fhir.r4.model.Reference;
import org.hl7.fhir.r4.model.Task;

final class WithHapi {
    private static final String HUB = System.getenv("HUB");
    private static final String NUMBERS = "urn:oid:2.16.840.1.113883.3.9999.7";
    private static final Map<String, Object> SEEN = new TreeMap<>();
    private static IGenericClient client;
    private static Task task;

    public static void main(String[] arguments) throws Exception {
        FhirContext context = FhirContext.forR4();
        client = context.newRestfulGenericClient(HUB + "/fhir/R4");
        client.registerInterceptor(new BearerTokenAuthInterceptor(token()));
        SEEN.put("metadata", client.capabilities().ofType(CapabilityStatement.class).execute().getFhirVersion().toCode());
        Bundle waiting = client.search().forResource(Task.class).where(Task.STATUS.exactly().code("requested"))
            .sort().ascending("_lastUpdated").count(1).returnBundle(Bundle.class).execute();
        task = (Task) waiting.getEntryFirstRep().getResource();
        IdType made = versions();
        searches();
        bundles();
        conditions();
        end(made);
        System.out.println(new com.google.gson.Gson().toJson(SEEN));
    }

    private static String token() throws Exception {
        String pair = System.getenv("CLIENT_ID") + ":" + System.getenv("CLIENT_SECRET");
        HttpRequest request = HttpRequest.newBuilder(URI.create(HUB + "/oauth/token"))
            .header("Authorization", "Basic " + Base64.getEncoder().encodeToString(pair.getBytes()))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .POST(HttpRequest.BodyPublishers.ofString("grant_type=client_credentials")).build();
        HttpClient http = HttpClient.newHttpClient();
        String answer = http.send(request, HttpResponse.BodyHandlers.ofString()).body();
        return com.google.gson.JsonParser.parseString(answer).getAsJsonObject().get("access_token").getAsString();
    }

    private static Procedure procedure(String number) {
        Procedure made = new Procedure();
        made.setStatus(Procedure.ProcedureStatus.COMPLETED).setSubject(new Reference(task.getFor().getReference()));
        made.addIdentifier().setSystem(NUMBERS).setValue(number);
        made.getCode().setText("HTEST dosing");
        return made;
    }

    private static String fresh() {
        return "HTEST-" + UUID.randomUUID();
    }

    private static IdType versions() {
        Procedure made = (Procedure) client.create().resource(procedure(fresh())).execute().getResource();
        IdType id = made.getIdElement().toUnqualifiedVersionless();
        SEEN.put("create", made.getMeta().getVersionId());
        SEEN.put("read", client.read().resource(Procedure.class).withId(id).execute().getCode().getText());
        Procedure first = client.read().resource(Procedure.class).withId(id.withVersion("1")).execute();
        SEEN.put("vread", first.getMeta().getVersionId());
        // An id that has its version is sent as If-Match.
        first.addNote().setText("HTEST late");
        Procedure late = (Procedure) client.update().resource(first).execute().getResource();
        SEEN.put("update", late.getMeta().getVersionId());
        first.getNoteFirstRep().setText("HTEST too late");
        try {
            client.update().resource(first).withId(id.withVersion("1")).execute();
        } catch (PreconditionFailedException refused) {
            SEEN.put("if-match", issue(refused).getCode().toCode());
        }
        String change = "[{\"op\": \"replace\", \"path\": \"/status\", \"value\": \"not-done\"}]";
        client.patch().withBody(change).withId(id).execute();
        SEEN.put("patch", client.read().resource(Procedure.class).withId(id).execute().getStatus().toCode());
        Bundle past = client.history().onInstance(id).returnBundle(Bundle.class).execute();
        List<String> numbers = past.getEntry().stream().map(one -> one.getResource().getMeta().getVersionId()).toList();
        SEEN.put("history", numbers.subList(numbers.size() - 2, numbers.size()));
        return id;
    }

    private static void searches() {
        Set<String> ids = new HashSet<>();
        Bundle page = client.search().forResource(Task.class).count(5).returnBundle(Bundle.class).execute();
        while (page != null) {
            page.getEntry().stream().map(Bundle.BundleEntryComponent::getResource).filter(Task.class::isInstance)
                .forEach(one -> ids.add(one.getIdElement().getIdPart()));
            page = page.getLink(Bundle.LINK_NEXT) == null ? null : client.loadPage().next(page).execute();
        }
        SEEN.put("paging", ids.size());
        Bundle found = client.search().forResource(Task.class)
            .where(Task.RES_ID.exactly().code(task.getIdElement().getIdPart())).include(Task.INCLUDE_FOCUS)
            .returnBundle(Bundle.class).execute();
        SEEN.put("include", found.getEntry().stream().map(one -> one.getResource().fhirType()).sorted().toList());
    }

    private static void bundles() {
        Bundle batch = new Bundle().setType(Bundle.BundleType.BATCH);
        batch.addEntry().getRequest().setMethod(Bundle.HTTPVerb.GET).setUrl("Task/" + task.getIdElement().getIdPart());
        batch.addEntry().setResource(procedure(fresh())).getRequest().setMethod(Bundle.HTTPVerb.POST).setUrl("Procedure");
        Bundle each = client.transaction().withBundle(batch).execute();
        SEEN.put("batch", each.getEntry().stream().map(one -> one.getResponse().getStatus().substring(0, 3)).toList());

        String place = "urn:uuid:" + UUID.randomUUID();
        Observation observation = new Observation().setStatus(Observation.ObservationStatus.FINAL);
        observation.getCode().setText("HTEST");
        observation.setSubject(new Reference(task.getFor().getReference())).addPartOf().setReference(place);
        Bundle both = new Bundle().setType(Bundle.BundleType.TRANSACTION);
        both.addEntry().setFullUrl(place).setResource(procedure(fresh())).getRequest()
            .setMethod(Bundle.HTTPVerb.POST).setUrl("Procedure");
        both.addEntry().setResource(observation).getRequest().setMethod(Bundle.HTTPVerb.POST).setUrl("Observation");
        List<IdType> made = client.transaction().withBundle(both).execute().getEntry().stream()
            .map(one -> new IdType(one.getResponse().getLocation()).toUnqualifiedVersionless()).toList();
        Observation read = client.read().resource(Observation.class).withId(made.get(1)).execute();
        SEEN.put("transaction", read.getPartOfFirstRep().getReference().equals(made.get(0).getValue()));
    }

    private static void conditions() {
        String number = fresh();
        String query = "Procedure?identifier=" + NUMBERS + "|" + number;
        IdType once = (IdType) client.create().resource(procedure(number)).conditionalByUrl(query).execute().getId();
        IdType again = (IdType) client.create().resource(procedure(number)).conditionalByUrl(query).execute().getId();
        SEEN.put("conditional-create", once.getIdPart().equals(again.getIdPart()));
        Procedure changed = procedure(number);
        changed.addNote().setText("HTEST");
        IdType now = (IdType) client.update().resource(changed).conditionalByUrl(query).execute().getId();
        SEEN.put("conditional-update", now.getVersionIdPart());
    }

    private static void end(IdType made) {
        client.delete().resourceById(made).execute();
        try {
            client.read().resource(Procedure.class).withId(made).execute();
        } catch (ResourceGoneException gone) {
            SEEN.put("delete", issue(gone).getCode().toCode());
        }
        try {
            client.create().resource(procedure(fresh()).setSubject(new Reference("Patient/HTEST-nobody"))).execute();
        } catch (BaseServerResponseException refused) {
            SEEN.put("error", List.of(issue(refused).getExpression().get(0).getValue()));
        }
    }

    private static OperationOutcome.OperationOutcomeIssueComponent issue(BaseServerResponseException refused) {
        return ((OperationOutcome) refused.getOperationOutcome()).getIssueFirstRep();
    }
}
