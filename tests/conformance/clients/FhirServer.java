// A FHIR R4 server made of HAPI's plain server and its resources in memory, on a port of its own choice, which is the
// first line that it prints. What is not FHIR R4 is refused. Found by identifier; no transactions.

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.parser.StrictErrorHandler;
import ca.uhn.fhir.rest.annotation.RequiredParam;
import ca.uhn.fhir.rest.annotation.Search;
import ca.uhn.fhir.rest.param.TokenParam;
import ca.uhn.fhir.rest.server.RestfulServer;
import ca.uhn.fhir.rest.server.provider.HashMapResourceProvider;
import java.util.ArrayList;
import java.util.List;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.hl7.fhir.instance.model.api.IBaseResource;
import org.hl7.fhir.r4.model.Base;
import org.hl7.fhir.r4.model.Identifier;

public class FhirServer {
    static final String[] TYPES = {
        "Task", "ServiceRequest", "Patient", "Encounter", "Condition", "Observation", "Procedure", "Organization",
        "Practitioner", "PractitionerRole", "Location", "HealthcareService", "Coverage", "Consent", "Medication",
        "MedicationRequest", "MedicationDispense", "MedicationAdministration", "AllergyIntolerance", "RelatedPerson",
    };

    static class InMemory<T extends IBaseResource> extends HashMapResourceProvider<T> {
        InMemory(FhirContext context, Class<T> type) {
            super(context, type);
        }

        @Search
        public synchronized List<IBaseResource> byIdentifier(@RequiredParam(name = "identifier") TokenParam wanted) {
            List<IBaseResource> found = new ArrayList<>();
            for (T one : getStoredResources()) {
                for (Base value : ((Base) one).listChildrenByName("identifier")) {
                    Identifier identifier = (Identifier) value;
                    if (wanted.getValue().equals(identifier.getValue())
                            && wanted.getSystem().equals(identifier.getSystem())) {
                        found.add(one);
                    }
                }
            }
            return found;
        }
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    public static void main(String[] arguments) throws Exception {
        FhirContext context = FhirContext.forR4();
        context.setParserErrorHandler(new StrictErrorHandler());
        RestfulServer fhir = new RestfulServer(context);
        for (String type : TYPES) {
            fhir.registerProvider(new InMemory(context, context.getResourceDefinition(type).getImplementingClass()));
        }
        Server server = new Server();
        ServerConnector connector = new ServerConnector(server);
        connector.setHost("127.0.0.1");
        server.addConnector(connector);
        ServletContextHandler handler = new ServletContextHandler();
        handler.addServlet(new ServletHolder(fhir), "/fhir/*");
        server.setHandler(handler);
        server.start();
        System.out.println(connector.getLocalPort());
        server.join();
    }
}
