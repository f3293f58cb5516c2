package throughline;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.context.support.IValidationSupport;
import ca.uhn.fhir.validation.FhirValidator;
import ca.uhn.fhir.validation.SingleValidationMessage;
import ca.uhn.fhir.validation.ValidationOptions;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.NpmPackageValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.PrePopulatedValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.SnapshotGeneratingValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.UnknownCodeSystemWarningValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;

/**
 * The HL7 validator for FHIR R4, line by line and without a network.
 *
 * <p>A line of the input is {@code {"id", "text", "profile": [...]?}}; {@code text} is the JSON of a resource as text, so
 * that what is judged is what was served, byte by byte. A line of the output, in any order, is {@code {"id", "issues":
 * [{"severity", "location", "message", "messageId"}]}}. The arguments name implementation guides (packages that stand on the
 * class path) and files of our own StructureDefinitions (``.json``).
 */
public final class Judge {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int THREADS = 2;

  private final FhirValidator validator;
  private final PrintStream answers;

  private Judge(String[] packages, PrintStream answers) throws IOException {
    FhirContext context = FhirContext.forR4();
    FhirInstanceValidator instances = new FhirInstanceValidator(support(context, packages));
    instances.setAnyExtensionsAllowed(true);
    // A profile that is not here is not judged; the caller counts it by its warning.
    instances.setErrorForUnknownProfiles(false);
    this.validator = context.newValidator().registerValidatorModule(instances);
    this.answers = answers;
  }

  private static IValidationSupport support(FhirContext context, String[] packages) throws IOException {
    NpmPackageValidationSupport guides = new NpmPackageValidationSupport(context);
    PrePopulatedValidationSupport own = new PrePopulatedValidationSupport(context);
    for (String name : packages) {
      if (name.endsWith(".json")) {
        own.addStructureDefinition(context.newJsonParser().parseResource(Files.readString(Path.of(name))));
      } else {
        guides.loadPackageFromClasspath(name);
      }
    }
    UnknownCodeSystemWarningValidationSupport unknown = new UnknownCodeSystemWarningValidationSupport(context);
    unknown.setNonExistentCodeSystemSeverity(IValidationSupport.IssueSeverity.WARNING);
    return new ValidationSupportChain(
        new DefaultProfileValidationSupport(context),
        guides,
        own,
        new CommonCodeSystemsTerminologyService(context),
        new InMemoryTerminologyServerValidationSupport(context),
        new SnapshotGeneratingValidationSupport(context),
        unknown);
  }

  private void answer(String line) {
    ObjectNode answer = JSON.createObjectNode();
    ArrayNode issues = answer.putArray("issues");
    try {
      JsonNode asked = JSON.readTree(line);
      answer.set("id", asked.get("id"));
      ValidationOptions options = new ValidationOptions();
      asked.path("profile").forEach(profile -> options.addProfile(profile.asText()));
      for (SingleValidationMessage one : validator.validateWithResult(asked.get("text").asText(), options).getMessages()) {
        issues.add(issue(one.getSeverity().getCode(), one.getLocationString(), one.getMessage(), one.getMessageId()));
      }
    } catch (Throwable fault) { // what it can't read, or can't get to the end of, is an answer too
      issues.add(issue("fatal", "", String.valueOf(fault.getMessage()), fault.getClass().getSimpleName()));
    }
    synchronized (answers) {
      answers.println(answer);
      answers.flush();
    }
  }

  private static ObjectNode issue(String severity, String location, String message, String messageId) {
    return JSON.createObjectNode()
        .put("severity", severity)
        .put("location", location)
        .put("message", message)
        .put("messageId", messageId);
  }

  public static void main(String[] packages) throws IOException {
    PrintStream answers = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    System.setOut(System.err); // libraries print; answers stand alone
    Judge judge = new Judge(packages, answers);
    ExecutorService threads = Executors.newFixedThreadPool(THREADS);
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = input.readLine(); line != null; line = input.readLine()) {
      String asked = line;
      threads.submit(() -> judge.answer(asked));
    }
    threads.shutdown();
  }
}
